"""Redis in other shapes than one server: Sentinel fails over while clients work, a cluster is refused at start."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest
import redis

from shared.runtime.configuration import ConfigurationError
from shared.runtime.redis_client import REDIS_UNAVAILABLE, check_server, connect, redis_address
from shared.runtime.redis_errors import AccessDenied, WrongServer
from shared.runtime.settings import ServiceSettings
from shared.streams.choose import open_log
from shared.streams.event_log import LogUnavailable
from tests.conftest import or_skip
from tests.support.polling import eventually
from tests.support.servers.event_logs import Owner, a_group, a_topic, append, read
from tests.support.servers.server_process import ServerProcess, free_port
from tests.support.servers.valkey import Valkey, running_valkey, valkey_binary

MASTER = "shop"


class Watched:
    """A master with a password, its replica, and one Sentinel with a password of its own."""

    def __init__(self, folder: Path) -> None:
        secret = ("--requirepass", "hunter2", "--masterauth", "hunter2", "--repl-diskless-sync-delay", "0")
        for name in ("one", "two", "sentinel"):
            (folder / name).mkdir(parents=True)
        self.master = Valkey(folder / "one", options=secret)
        follow = ("--replicaof", f"127.0.0.1 {self.master.port}")
        self.replica = Valkey(folder / "two", options=(*secret, *follow))
        self.sentinel_port = free_port()
        self._config = folder / "sentinel" / "sentinel.conf"
        self._sentinel = ServerProcess(folder / "sentinel" / "sentinel.log")
        self.url = f"redis+sentinel://:hunter2@127.0.0.1:1,127.0.0.1:{self.sentinel_port}/{MASTER}/1"

    def start(self) -> None:
        self.master.start()
        self.replica.start()
        self._config.write_text(
            f"port {self.sentinel_port}\nbind 127.0.0.1\nrequirepass watch\ndir {self._config.parent}\n"
            f"sentinel monitor {MASTER} 127.0.0.1 {self.master.port} 1\n"
            f"sentinel auth-pass {MASTER} hunter2\nsentinel down-after-milliseconds {MASTER} 500\n"
            f"sentinel failover-timeout {MASTER} 3000\n"
        )
        with redis.Redis(port=self.sentinel_port, password="watch") as asked:
            self._sentinel.run(
                [valkey_binary(), str(self._config), "--sentinel"], lambda: self._knows_the_replica(asked)
            )

    def _knows_the_replica(self, asked: redis.Redis) -> bool:
        try:
            return any(facts["master-link-status"] == "ok" for facts in asked.sentinel_slaves(MASTER))
        except redis.RedisError:
            return False

    def kill(self) -> None:
        for server in (self.master, self.replica, self._sentinel):
            server.kill()


@contextmanager
def running(site: Watched | Valkey) -> Iterator[str]:
    """Its URL."""
    try:
        site.start()
        yield site.url
    finally:
        site.kill()


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    with or_skip(lambda: nullcontext(Watched(tmp_path))) as site, running(site):
        yield site


def test_clients_and_the_event_log_follow_sentinel_to_the_new_master(watched: Watched) -> None:
    settings = ServiceSettings(redis_url=watched.url, redis_sentinel_password="watch")
    with connect(settings.redis_url) as client:
        log = open_log(settings, "test")
        topic = a_topic(log)
        with log.producer() as producer, log.consumer(topic, a_group(), Owner()) as consumer:
            append(log, topic, b"before")
            assert [record.value for record in read(consumer, 1)] == [b"before"]
            assert client.wait(1, 5_000) == 1
            watched.master.kill()
            with pytest.raises(REDIS_UNAVAILABLE):
                client.set("key", "value")
            with pytest.raises(LogUnavailable):
                consumer.poll(1, 0)
            eventually(lambda: _answers(client), "the new master", 30)
            append(log, topic, b"after")

            def polled() -> list[bytes]:
                try:
                    return [record.value for record in consumer.poll(1, 0.1)]
                except LogUnavailable:
                    return []

            assert eventually(polled, "the record on the new master") == [b"after"]
            del producer
    assert (
        redis_address(settings.redis_url)
        == f"{MASTER} through Sentinel at 127.0.0.1:1,127.0.0.1:{watched.sentinel_port}"
    )


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.set("key", "value"))
    except REDIS_UNAVAILABLE:
        return False


def test_an_unknown_master_a_wrong_password_and_a_plain_url_of_a_sentinel_are_named(watched: Watched) -> None:
    def said(url: str, password: str) -> str:
        settings = ServiceSettings(redis_url=url, redis_sentinel_password=password)
        with connect(settings.redis_url) as client, pytest.raises(REDIS_UNAVAILABLE) as error:
            client.ping()
        return str(error.value)

    assert "the Sentinels name no master 'other'" in said(watched.url.replace(f"/{MASTER}", "/other"), "watch")
    # Of the first nobody listens; the second wants another password.
    assert "network:ConnectionError; auth:AuthenticationError" in said(watched.url, "wrong")
    with pytest.raises(WrongServer, match="is a Sentinel, which holds no data"):
        check_server(f"redis://:watch@127.0.0.1:{watched.sentinel_port}/0")


@pytest.fixture(scope="module")
def cluster_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("cluster")
    # By default it is 10,000 above the other, where the system assigns ports to connections.
    options = ("--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    with (
        or_skip(lambda: nullcontext(Valkey(folder, options=options))) as server,
        running(server) as url,
    ):
        yield url


@pytest.mark.parametrize(
    "command",
    [
        ["detect"],
        ["aggregate"],
        ["dashboard"],
        ["generate", "--count", "1"],
        ["load-lookups", "--products", __file__],
        ["dead-letters", "replay"],
        ["forget", "u1"],
    ],
    ids=lambda command: command[0],
)
def test_every_command_refuses_a_cluster_with_exit_code_2(
    cluster_url: str, tmp_path: Path, command: Sequence[str]
) -> None:
    environment = {"REDIS_URL": cluster_url, "STATE_DIR": str(tmp_path), "DASHBOARD_PORT": str(free_port())}
    ended = subprocess.run(
        [sys.executable, "-m", "services.cli", *command],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2, ended.stderr
    assert "REDIS_URL: 127.0.0.1:" in ended.stderr
    assert "is a node of a Redis Cluster" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_database_that_redis_lacks_is_refused(tmp_path: Path) -> None:
    with or_skip(lambda: running_valkey(tmp_path)) as url:
        with pytest.raises(ConfigurationError, match="has no such database"):
            check_server(url.replace("/0", "/999"))
        check_server(url)


def test_a_demoted_master_is_left_and_a_denial_is_named(tmp_path: Path) -> None:
    with or_skip(lambda: running_valkey(tmp_path)) as url, redis.Redis.from_url(url) as operator:
        with connect(url) as client:
            client.ping()
            pool = client.connection_pool
            operator.replicaof("127.0.0.1", "1")
            with pytest.raises(redis.ReadOnlyError):
                client.set("key", "value")
            with client.pipeline() as pipeline, pytest.raises(redis.ReadOnlyError):
                pipeline.set("key", "value").execute()
            assert not any(connection._sock for connection in pool._available_connections)  # noqa: SLF001 - the next command resolves the name again
            operator.replicaof("NO", "ONE")
            assert client.set("key", "value")
        operator.acl_setuser("reader", enabled=True, nopass=True, commands=["+get"], keys=["*"])
        with connect(url.replace("redis://", "redis://reader:x@")) as denied, pytest.raises(AccessDenied) as error:
            denied.set("key", "value")
        assert "access denied by the ACL of Redis: " in str(error.value)
