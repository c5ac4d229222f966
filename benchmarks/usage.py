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
    return sum(map(int, _fields(process_id)[11:13])) / _TICKS  # user and system


def family_seconds(process_id: int) -> float:
    """CPU time of a process so far, and of its children, also of those that ended."""
    ticks = sum(map(int, _fields(process_id)[11:15]))
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = _fields(int(folder.name))
        except (FileNotFoundError, ProcessLookupError):  # it ended meanwhile
            continue
        if int(fields[1]) == process_id:
            ticks += sum(map(int, fields[11:13]))
    return ticks / _TICKS


def parent_of(process_id: int) -> int:
    """The process that started a process."""
    return int(_fields(process_id)[1])


def _fields(process_id: int) -> list[str]:
    """Those of /proc/PID/stat from the state on."""
    return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()


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
    def of(cls, process_ids: Mapping[str, int], families: Mapping[str, int] | None = None) -> Self:
        """Read now; this process counts as `measuring`. Children of `families` count as these."""
        own = {name: cpu_seconds(number) for name, number in {**process_ids, "measuring": os.getpid()}.items()}
        with_children = {name: family_seconds(number) for name, number in (families or {}).items()}
        return cls(own | with_children, _machine_seconds())

    def cores_since(self, before: "CpuReading", seconds: float, **ended: float) -> dict[str, float]:
        """Average cores used since the reading `seconds` ago, by process; `others` is the rest of the machine.

        `ended`: CPU seconds of our processes that are in neither reading, by name.
        """
        spent = {name: used - before.processes[name] for name, used in self.processes.items()} | ended
        others = max(0.0, self.machine - before.machine - sum(spent.values()))
        return {name: round(used / seconds, 3) for name, used in {**spent, "others": others}.items()}
