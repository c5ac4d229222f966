"""CPU and memory of this process, and sizes of files, from the operating system."""

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
    """CPU time of this process, all threads, as a share of one core. Not thread-safe."""

    def __init__(
        self,
        cpu_seconds: Callable[[], float] = time.process_time,
        elapsed_seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = cpu_seconds, elapsed_seconds
        self._cpu_seconds, self._at = cpu_seconds(), elapsed_seconds()

    def share(self) -> float:
        """The share since the last call; 1.0 is a whole core."""
        cpu_seconds, at = (read() for read in self._read)
        share = (cpu_seconds - self._cpu_seconds) / max(1e-3, at - self._at)
        self._cpu_seconds, self._at = cpu_seconds, at
        return share


def resident_bytes() -> int:
    """The resident memory of this process; without /proc, its peak."""
    with suppress(OSError, ValueError, IndexError):
        return int(_STATM.read_text().split()[1]) * _PAGE_BYTES
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def disk_bytes(directory: Path) -> int:
    """The size of the files in a directory without its subdirectories; 0 when it is missing."""
    total = 0
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(directory) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):  # RocksDB deletes files meanwhile
                if entry.is_file(follow_symlinks=False):
                    total += entry.stat(follow_symlinks=False).st_size
    return total
