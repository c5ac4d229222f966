"""The demo's folder (`.clickpulse/`): one demo at a time, and foreign files stay untouched."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_MARKER: Final = "CLICKPULSE"
_LOCK: Final = "lock"
_EXPLANATION: Final = "The state of `clickpulse demo`: event log, windows, logs. `clickpulse demo --fresh` clears it.\n"


class Unusable(Exception):  # noqa: N818 - a state of the folder
    """The folder cannot be created or written, or it holds foreign files."""


class AlreadyRunning(Exception):  # noqa: N818 - a state of the folder
    """Another demo uses this folder; the message names its process."""


@dataclass(frozen=True, slots=True)
class StateDir:
    """The folder and its subfolders."""

    path: Path

    @property
    def redis(self) -> Path:
        """The embedded server's data."""
        return self.path / "redis"

    @property
    def state(self) -> Path:
        """The services' STATE_DIR."""
        return self.path / "state"

    @property
    def history(self) -> Path:
        """The data of history's own PostgreSQL, which creates it."""
        return self.path / "history"

    @property
    def logs(self) -> Path:
        """The log of the embedded server."""
        return self.path / "logs"

    @property
    def lookups(self) -> Path:
        """The generated catalogue and visitors."""
        return self.path / "lookups"


@contextmanager
def claim(path: Path, *, fresh: bool) -> Iterator[StateDir]:
    """Lock the folder while the block runs. Creates it if missing, and clears it first when `fresh`.

    Raises Unusable, or AlreadyRunning when another demo holds it, in both cases before changing anything.
    """
    path = path.absolute()
    try:
        _make(path)
    except OSError as error:
        raise Unusable(f"{path} cannot be used: {error.strerror}") from error
    with _lock(path / _LOCK, path):
        if fresh:
            _clear(path)
        state_dir = StateDir(path)
        for folder in (state_dir.redis, state_dir.state, state_dir.logs, state_dir.lookups):
            folder.mkdir(exist_ok=True)
        yield state_dir


def _make(path: Path) -> None:
    marker = path / _MARKER
    if path.is_dir() and not marker.exists() and any(path.iterdir()):
        raise Unusable(f"{path} holds files that do not belong to Clickpulse; nothing in it was touched")
    path.mkdir(parents=True, exist_ok=True)
    marker.write_text(_EXPLANATION, encoding="utf-8")


@contextmanager
def _lock(lock: Path, path: Path) -> Iterator[None]:
    # The kernel releases the lock when the process ends, so a leftover file blocks nobody.
    with lock.open("a+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip()
            raise AlreadyRunning(f"a demo (process {holder or 'unknown'}) already runs in {path}") from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def _clear(path: Path) -> None:
    for entry in path.iterdir():
        if entry.name in {_MARKER, _LOCK}:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
