"""The folder of a topic's databases belongs to one group: two of different sites would set each other's state aside."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from shared.runtime.configuration import ConfigurationError

_GROUP_FILE: Final = "GROUP"
_LONGEST_BYTES: Final = 512


@contextmanager
def folder_of_group(directory: Path, site: str) -> Iterator[None]:
    """Hold the folder for a group that counts `site`, empty for all sites, together with its other replicas.

    Raises ConfigurationError while replicas of another group hold it.
    """
    directory.mkdir(parents=True, exist_ok=True)
    file = os.open(directory / _GROUP_FILE, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _hold(file, directory, site)
        yield
    finally:
        os.close(file)  # and frees the lock


def _hold(file: int, directory: Path, site: str) -> None:
    fcntl.flock(file, fcntl.LOCK_SH)
    if _read(file) == site:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        other = _read(file) or "all sites"
        raise ConfigurationError(
            f"STATE_DIR: {directory} is in use by the group of {other}; give each group a folder of its own"
        ) from None
    os.ftruncate(file, 0)
    os.pwrite(file, site.encode(), 0)
    fcntl.flock(file, fcntl.LOCK_SH)


def _read(file: int) -> str:
    return os.pread(file, _LONGEST_BYTES, 0).decode("utf-8", "replace")
