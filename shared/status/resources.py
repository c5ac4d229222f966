"""What the operating system says of this process: CPU and memory; and of files: their size."""

import os
import resource
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_PAGE_BYTES = resource.getpagesize()
_STATM = Path("/proc/self/statm")


class CpuMeter:
    """The share of one core that this process, all of its threads, used since the last look. One thread."""

    def __init__(
        self,
        cpu_seconds: Callable[[], float] = time.process_time,
        elapsed_seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = cpu_seconds, elapsed_seconds
        self._cpu_seconds, self._at = cpu_seconds(), elapsed_seconds()

    def share(self) -> float:
        """1.0 is a whole core."""
        cpu_seconds, at = (read() for read in self._read)
        share = (cpu_seconds - self._cpu_seconds) / max(1e-3, at - self._at)
        self._cpu_seconds, self._at = cpu_seconds, at
        return share


def resident_bytes() -> int:
    """The memory of this process that is in RAM; where /proc is missing, the most it ever was."""
    with suppress(OSError, ValueError, IndexError):
        return int(_STATM.read_text().split()[1]) * _PAGE_BYTES
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def disk_bytes(directory: Path) -> int:
    """The size of the files in a directory, not of its subdirectories; 0 of one that is not there."""
    total = 0
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(directory) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):  # RocksDB deletes files while we look
                if entry.is_file(follow_symlinks=False):
                    total += entry.stat(follow_symlinks=False).st_size
    return total
