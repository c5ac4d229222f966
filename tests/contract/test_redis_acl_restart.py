"""A Redis with the ACL file of `clickpulse access` keeps what its services wrote through a restart."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import redis

from services.access.logins import write_logins
from services.access.names import Names
from services.access.redis_rights import redis_rights
from shared.runtime.redis_client import connect
from tests.conftest import or_skip
from tests.support.servers.server_process import ServerProcess, free_port
from tests.support.servers.tls_redis import redis_binary
from tests.support.servers.valkey import valkey_binary


@pytest.mark.parametrize("find", [lambda _: valkey_binary(), redis_binary], ids=["valkey", "redis"])
def test_transactions_survive_a_restart(tmp_path: Path, find: Callable[[Path], str]) -> None:
    with or_skip(lambda: _found(find, tmp_path)) as binary:
        write_logins(tmp_path / "logins", redis_rights(Names(), is_log_on_redis=False), (), "")
        password = (tmp_path / "logins" / "detect" / "redis-password").read_text().strip()
        port = free_port()
        server = ServerProcess(tmp_path / "server.log")
        command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(tmp_path), "--save", ""]
        command += ["--appendonly", "yes", "--aclfile", str(tmp_path / "logins" / "redis" / "users.acl")]
        url = f"redis://detect:{password}@127.0.0.1:{port}/0"
        try:
            for attempt in range(2):
                with connect(url) as client:
                    server.run(command, partial(_answers, client))
                    if attempt == 0:
                        pipeline = client.pipeline(transaction=True)
                        pipeline.set("detect:ada", "{}")
                        pipeline.set("detect:bea", "{}")
                        pipeline.execute()
                        server.stop()
                    else:
                        assert client.mget("detect:ada", "detect:bea") == [b"{}", b"{}"]
        finally:
            server.kill()


class _found:  # noqa: N801 - a context manager
    def __init__(self, find: Callable[[Path], str], folder: Path) -> None:
        self._find = find
        self._folder = folder

    def __enter__(self) -> str:
        return self._find(self._folder)

    def __exit__(self, *_: object) -> None: ...


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
