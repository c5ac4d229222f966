"""A PostgreSQL with TimescaleDB for tests: PGlite in node, on a free loopback port."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import psycopg

from tests.support.npm_package import installed
from tests.support.servers.server_process import ServerProcess, free_port

_HERE: Final = Path(__file__).parent
_PACKAGE: Final = _HERE / "package.json"


class Timescale:
    """A server whose databases take one client at a time. Others wait until it leaves."""

    def __init__(self, port: int) -> None:
        self._port = port

    def new_database(self, name: str) -> str:
        """The URL of an empty database. The one named `unloaded` is as on a server that does not load TimescaleDB."""
        url = f"postgresql://postgres@127.0.0.1:{self._port}/{name}?sslmode=disable&gssencmode=disable"
        psycopg.connect(url, connect_timeout=180).close()  # it is made now, which takes seconds
        return url


@contextmanager
def running_timescale(log: Path) -> Iterator[Timescale]:
    """A server while the block runs. Raises ServerMissing."""
    port = free_port()
    server = ServerProcess(log)
    try:
        server.run(
            ["env", "-C", str(installed(_PACKAGE)), "node", str(_HERE / "server.mjs"), str(port)],
            lambda: _answers(port),
        )
        yield Timescale(port)
    finally:
        server.kill()


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
        return True
    return False
