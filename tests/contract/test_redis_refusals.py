"""A real Redis that refuses to write for a while: what services and commands write waits for it, and then works."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread, Timer
from typing import Any

import pytest
import redis
from structlog.testing import capture_logs

from services.detect.detection import Detection, Machine
from services.detect.machines import MachineStore
from services.enrich.dead_letters.replay import Replayed
from services.enrich.dead_letters.topic import DeadLetter
from services.enrich.privacy.lookup_names import LookupNames
from shared.events.refusals import Origin
from shared.events.schema import RawEvent
from shared.privacy.erasure_list import ErasureList
from shared.privacy.pseudonyms import Pseudonyms
from shared.runtime.dependency import Dependency, Stopped
from shared.runtime.redis_client import REDIS_UNAVAILABLE, connect, wait_out
from shared.runtime.redis_errors import REDIS_PASSING
from shared.runtime.settings import ServiceSettings
from shared.streams.choose import open_log
from shared.streams.event_log import LogUnavailable, Record
from tests.conftest import or_skip
from tests.support.polling import eventually
from tests.support.servers.event_logs import Owner, a_group, a_topic
from tests.support.servers.valkey import running_valkey

NOW_MS = 1_795_000_000_000
LETTER = DeadLetter(Record(0, 1, NOW_MS, None, b""), "malformed", "", Origin("enrich", "click-data", 0, 1, NOW_MS))
WRITES: dict[str, Callable[[redis.Redis], object]] = {
    "detect": lambda client: MachineStore(client, "", 60_000).update(
        ["u1"], lambda _: Detection({"u1": Machine()}, (), ()), NOW_MS
    ),
    "enrich, salts": lambda client: Pseudonyms(client, "", "daily", None, lambda: NOW_MS).of(
        [RawEvent(timestamp=NOW_MS, userId="u1")]
    ),
    "enrich and load-lookups, names": lambda client: LookupNames(client, "", None).of(["u1"]),
    "dead-letters replay": lambda client: Replayed(client, "", "click-data-dlq", 3_600_000).mark([LETTER], NOW_MS),
    "forget": lambda client: ErasureList(client, "").erase(["token"], NOW_MS, 3_600_000),
}


@contextmanager
def without_replicas(operator: redis.Redis, _: Path) -> Iterator[None]:
    operator.config_set("min-replicas-to-write", 1)
    yield
    operator.config_set("min-replicas-to-write", 0)


@contextmanager
def with_a_full_disk(operator: redis.Redis, folder: Path) -> Iterator[None]:
    operator.config_set("save", "3600 1")
    shutil.rmtree(folder)  # as root, a test can write to any other folder
    operator.bgsave()
    eventually(lambda: operator.info("persistence")["rdb_last_bgsave_status"] == "err", "a failed save")
    yield
    operator.config_set("save", "")


@contextmanager
def as_a_replica(operator: redis.Redis, _: Path) -> Iterator[None]:
    operator.replicaof("127.0.0.1", "1")
    yield
    operator.replicaof("NO", "ONE")


@contextmanager
def with_a_full_memory(operator: redis.Redis, _: Path) -> Iterator[None]:
    operator.config_set("maxmemory", 1)
    yield
    operator.config_set("maxmemory", 0)


@contextmanager
def within_a_script(operator: redis.Redis, _: Path) -> Iterator[None]:
    operator.config_set("busy-reply-threshold", 10)

    def script() -> None:
        with connect(url_of(operator)) as client, suppress(redis.RedisError):
            client.eval("while true do end", 0)

    running = Thread(target=script)
    running.start()

    def is_busy() -> bool:
        try:
            operator.ping()
        except redis.ResponseError:
            return True
        return False

    eventually(is_busy, "a busy server")
    yield
    operator.script_kill()
    running.join()


def url_of(client: redis.Redis) -> str:
    options: Any = client.connection_pool.connection_kwargs
    return f"redis://127.0.0.1:{options['port']}/0"


@pytest.mark.parametrize(
    "refusing", [without_replicas, with_a_full_disk, as_a_replica, with_a_full_memory, within_a_script]
)
def test_everything_that_is_written_waits_for_a_refusal_to_pass(tmp_path: Path, refusing: Any) -> None:
    folder = tmp_path / "redis"
    folder.mkdir()
    with or_skip(lambda: running_valkey(folder)) as url, connect(url) as operator, connect(url) as client:
        operator.ping()
        with refusing(operator, folder):
            for write in WRITES.values():
                with pytest.raises(REDIS_UNAVAILABLE) as refusal:
                    write(client)
                assert isinstance(refusal.value, REDIS_PASSING)
        for write in WRITES.values():
            write(client)
        folder.mkdir(exist_ok=True)  # the server's log is there


def test_a_command_without_a_loop_waits_too_and_can_be_stopped(tmp_path: Path) -> None:
    with or_skip(lambda: running_valkey(tmp_path)) as url, connect(url) as operator, connect(url) as client:
        stop = Event()
        wait_out(client, Dependency("Redis"), stop)
        operator.config_set("min-replicas-to-write", 1)
        passing = Timer(0.5, lambda: operator.config_set("min-replicas-to-write", 0))
        passing.start()
        with capture_logs() as lines:
            for write in WRITES.values():
                write(client)
        passing.join()
        waited = [line for line in lines if line["event"] == "waiting"]
        assert waited
        assert "NOREPLICAS" in waited[0]["error"]
        operator.config_set("min-replicas-to-write", 1)
        for write in (WRITES["forget"], lambda client: client.set("key", "value")):
            Timer(0.3, stop.set).start()
            with pytest.raises(Stopped):
                write(client)


def test_a_reader_of_the_log_does_not_come_and_go_while_redis_refuses_writes(tmp_path: Path) -> None:
    with or_skip(lambda: running_valkey(tmp_path)) as url, connect(url) as operator:
        log = open_log(ServiceSettings(redis_url=url), "test")
        topic = a_topic(log)
        with log.consumer(topic, a_group(), Owner()) as consumer:
            consumer.poll(1, 0)
            operator.config_set("min-replicas-to-write", 1)

            def is_refused() -> bool:
                try:
                    consumer.poll(1, 0.05)
                except LogUnavailable:
                    return True
                return False

            eventually(is_refused, "a renewal of the lease")
            assert [is_refused() for _ in range(5)] == [True] * 5
            operator.config_set("min-replicas-to-write", 0)
            assert not is_refused()
