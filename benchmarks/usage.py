"""Memory and CPU time of processes, from Linux's /proc, and how busy the rest of the machine is."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

_TICKS: Final = os.sysconf("SC_CLK_TCK")  # a second
_PAGE_MB: Final = os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def resident_mb(process_id: int) -> float:
    """Resident set of a process, in MB."""
    return int(Path(f"/proc/{process_id}/statm").read_text().split()[1]) * _PAGE_MB


def cpu_seconds(process_id: int) -> float:
    """CPU time of a process so far, with all threads."""
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS  # user and system


def _machine_seconds() -> float:
    """Busy CPU time of all cores so far."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(
        int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    )
    return (user + nice + system + irq + softirq + steal) / _TICKS


@dataclass(frozen=True, slots=True)
class CpuReading:
    """CPU seconds so far, of each named process and of the whole machine."""

    processes: Mapping[str, float]
    machine: float

    @classmethod
    def of(cls, process_ids: Mapping[str, int]) -> Self:
        """Read now; this process counts as `measuring`."""
        named = {**process_ids, "measuring": os.getpid()}
        return cls({name: cpu_seconds(number) for name, number in named.items()}, _machine_seconds())

    def cores_since(self, before: "CpuReading", seconds: float, **ended: float) -> dict[str, float]:
        """Average cores used since the reading `seconds` ago, by process; `others` is the rest of the machine.

        `ended`: CPU seconds of our processes that are in neither reading, by name.
        """
        spent = {name: used - before.processes[name] for name, used in self.processes.items()} | ended
        others = max(0.0, self.machine - before.machine - sum(spent.values()))
        return {name: round(used / seconds, 3) for name, used in {**spent, "others": others}.items()}
