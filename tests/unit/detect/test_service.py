"""The detect loop on a fake log and an in-memory Redis: write order, failures and outputs."""

from collections.abc import Callable, Mapping, Sequence
from threading import Event
from typing import Any, Self

import fakeredis
import msgspec
import pytest
import redis

from services.detect.__main__ import main
from services.detect.detection import Detection, Machine
from services.detect.machines import MachineStore
from services.detect.service import DetectService
from shared.events.enriched import encode_enriched
from shared.events.schema import EnrichedEvent
from shared.rollups.contract import STATE_LOG_KEY
from shared.runtime.dependency import Stopped
from shared.runtime.settings import ConfigurationError
from shared.status.health import Health
from shared.streams.event_log import LogUnavailable, NewRecord, Record, RecordBatch, ToAppend

NOW_MS = 1_700_000_000_000
WINDOW_MS = 30 * 60_000


class OnePartitionLog:
    """A processor over a list. A failed send keeps the committed offset, and the next poll reads from it."""

    def __init__(self, values: Sequence[bytes]) -> None:
        self.records = [Record(0, offset, NOW_MS + offset, None, value) for offset, value in enumerate(values)]
        self.sent: list[NewRecord] = []
        self.committed = 0
        self.failing_sends = 0

    def poll(self, max_records: int, timeout_seconds: float) -> RecordBatch:
        assert timeout_seconds > 0
        return RecordBatch(self.records[self.committed : self.committed + max_records])

    def send(self, records: Sequence[ToAppend], next_offsets: Mapping[int, int]) -> None:
        if self.failing_sends:
            self.failing_sends -= 1
            raise LogUnavailable("broker is unreachable")
        self.sent.extend(NewRecord(*record) for record in records)
        self.committed = next_offsets[0]

    def lag(self) -> dict[int, int]:
        return {0: len(self.records) - self.committed}

    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class FlakyRedis(fakeredis.FakeRedis):
    """Refuses the next `failures` pipelines."""

    failures = 0

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> redis.client.Pipeline:
        if self.failures:
            self.failures -= 1
            raise redis.exceptions.ConnectionError("refused")
        pipeline: redis.client.Pipeline = super().pipeline(transaction, shard_hint)
        return pipeline


@pytest.fixture
def client() -> FlakyRedis:
    return FlakyRedis()


def click(product: str, category: str, user: str = "ada", minutes_ago: float = 1) -> bytes:
    return encode_enriched(
        EnrichedEvent(
            timestamp=NOW_MS - round(minutes_ago * 60_000),
            userId=user,
            productId=product,
            category=category,
            gender="M",
            age=40,
        )
    )


OFFER_PATH = (click("coat", "clothing"), click("boots", "shoes"), click("hat", "clothing"))


def service(
    log: OnePartitionLog,
    client: redis.Redis,
    *,
    health: Health | None = None,
    store: MachineStore | None = None,
    stop: Event | None = None,
) -> DetectService:
    return DetectService(
        log,
        store or MachineStore(client, "test:", WINDOW_MS),
        enriched_topic="enriched-click-data",
        offers_topic="special-offers",
        window_ms=WINDOW_MS,
        health=health or Health("detect"),
        stop=stop or Event(),
        now_ms=lambda: NOW_MS,
        log_address="memory",
        redis_address="memory",
    )


def state_log(client: redis.Redis) -> list[dict[bytes, bytes]]:
    entries: Any = client.xrange("test:" + STATE_LOG_KEY)
    return [fields for _, fields in entries]


def test_offer_is_keyed_by_user_and_has_the_fields_of_the_contract(client: FlakyRedis) -> None:
    log = OnePartitionLog(OFFER_PATH)
    service(log, client).work()
    [offer] = log.sent
    assert (offer.topic, offer.key) == ("special-offers", b"ada")
    assert msgspec.json.decode(offer.value) == {"userId": "ada", "offer": "offer1", "timestamp": NOW_MS - 60_000}
    assert log.committed == 3


def test_offer_survives_a_failed_send_and_is_sent_once(client: FlakyRedis) -> None:
    log = OnePartitionLog(OFFER_PATH)
    log.failing_sends = 2
    health = Health("detect")
    detect = service(log, client, health=health)
    detect.work()
    assert health.report()["status"] == "unhealthy"
    detect.work()
    detect.work()
    assert (len(log.sent), len(state_log(client))) == (1, 3)
    assert health.report()["status"] == "healthy"


def test_another_process_continues_where_the_first_died(client: FlakyRedis) -> None:
    log = OnePartitionLog(OFFER_PATH[:2])
    service(log, client).work()
    log.records = OnePartitionLog(OFFER_PATH).records
    service(log, client).work()
    assert len(log.sent) == 1


def test_service_waits_for_redis(client: FlakyRedis) -> None:
    log = OnePartitionLog(OFFER_PATH)
    client.failures = 1
    service(log, client).work()
    assert (len(log.sent), client.failures) == (1, 0)


def test_stop_ends_the_wait_for_redis_without_a_commit(client: FlakyRedis) -> None:
    log = OnePartitionLog(OFFER_PATH)
    client.failures = 1000
    stop = Event()
    stop.set()
    with pytest.raises(Stopped):
        service(log, client, stop=stop).work()
    assert log.committed == 0


def test_unreadable_events_are_skipped(client: FlakyRedis) -> None:
    log = OnePartitionLog([b"\xff", *OFFER_PATH[:2], b"{}", OFFER_PATH[2]])
    service(log, client).work()
    assert (len(log.sent), log.committed) == (1, 5)


def test_state_log_shows_the_latest_ten_transitions_by_event_time(client: FlakyRedis) -> None:
    log = OnePartitionLog([click("coat", "clothing", f"user{number}", minutes_ago=2) for number in range(25)])
    service(log, client).work()
    entries = state_log(client)
    assert len(entries) == 10
    assert entries[-1] == {
        b"created": str(NOW_MS / 1000 - 120).encode(),
        b"msg": b"visitor user24 entered clothes_visited: clicked coat (clothing)",
        b"userId": b"user24",
    }
    assert client.ttl("test:" + STATE_LOG_KEY) > 0


def test_history_is_followed_but_not_logged(client: FlakyRedis) -> None:
    log = OnePartitionLog(
        [click("coat", "clothing", minutes_ago=40), click("boots", "shoes", minutes_ago=31), OFFER_PATH[2]]
    )
    service(log, client).work()
    assert len(log.sent) == 0  # the third click is outside the window, which started 40 minutes ago
    assert state_log(client) == []
    assert client.exists("test:detect:ada")


def test_machines_expire_after_two_windows(client: FlakyRedis) -> None:
    service(OnePartitionLog(OFFER_PATH[:1]), client).work()
    assert WINDOW_MS < client.pttl("test:detect:ada") <= 2 * WINDOW_MS


def test_unreadable_machine_starts_in_init(client: FlakyRedis) -> None:
    client.set("test:detect:ada", b"not a machine")
    log = OnePartitionLog(OFFER_PATH)
    service(log, client).work()
    assert len(log.sent) == 1


def test_replica_that_lost_its_partition_does_not_revert_a_machine(client: FlakyRedis) -> None:
    new_owner = service(OnePartitionLog(OFFER_PATH), client)
    overtaken = OvertakenStore(client, "test:", WINDOW_MS)
    overtaken.meanwhile = new_owner.work
    service(OnePartitionLog(OFFER_PATH[:1]), client, store=overtaken).work()
    assert msgspec.json.decode(client.get("test:detect:ada") or b"")["offset"] == 2
    assert len(state_log(client)) == 3


class OvertakenStore(MachineStore):
    """Runs `meanwhile`, another replica's work, during the first read."""

    meanwhile: Callable[[], None] | None = None

    def update(
        self, users: Sequence[str], detect: Callable[[Mapping[str, Machine]], Detection], now_ms: int
    ) -> Detection:
        def overtaken(machines: Mapping[str, Machine]) -> Detection:
            if self.meanwhile is not None:
                overtake, self.meanwhile = self.meanwhile, None
                overtake()
            return detect(machines)

        return super().update(users, overtaken, now_ms)


def test_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DETECT_WINDOW_MINUTES", "0")
    with pytest.raises(ConfigurationError, match="DETECT_WINDOW_MINUTES"):
        main([])


def test_wrong_option_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--windows", "3"])
    assert "--windows" in capsys.readouterr().err
