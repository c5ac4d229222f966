"""The service's loop on an in-memory log: nothing is lost or duplicated, whatever fails in between."""

from collections.abc import Callable, Mapping, Sequence
from threading import Event
from typing import Any, Self

import fakeredis
import msgspec
import pytest
from structlog.testing import capture_logs

from services.enrich.lookups.redis_lookups import Lookups
from services.enrich.service import EnrichService, Route
from services.enrich.tally import Tally
from services.enrich.transform.rules import Rules
from shared.events.raw import encode_raw
from shared.events.schema import MAX_EVENT_BYTES, RawEvent
from shared.privacy.pseudonyms import Pseudonyms
from shared.privacy.rotation import derived_salt, period_of, pseudonym_of
from shared.status.health import Health
from shared.streams.event_log import Fenced, LogUnavailable, NewRecord, Processor, Record, RecordBatch, ToAppend

NOW_MS = 1_790_000_000_123
SECRET = "a secret of some length"
ROUTE = Route("click-data", "enriched-click-data", "memory", "nowhere:6379", batch_records=3)


class MemoryProcessor(Processor):
    """An in-memory log. The next calls raise the `failures`. Sets `stop` once everything is read and sent."""

    def __init__(self, records: Sequence[Record], stop: Event) -> None:
        self.source = list(records)
        self.committed = 0
        self.position = 0
        self.sent: list[NewRecord] = []
        self.offsets: dict[int, int] = {}
        self.poll_failures: list[Exception] = []
        self.send_failures: list[Exception] = []
        self._stop = stop

    def poll(self, max_records: int, timeout_seconds: float) -> RecordBatch:  # noqa: ARG002 - never waits
        if self.poll_failures:
            raise self.poll_failures.pop(0)
        batch = self.source[self.position : self.position + max_records]
        self.position += len(batch)
        if not batch:
            self._stop.set()
        return RecordBatch(batch)

    def send(self, records: Sequence[ToAppend], next_offsets: Mapping[int, int]) -> None:
        if self.send_failures:
            self.position = self.committed
            raise self.send_failures.pop(0)
        self.sent += [NewRecord(*record) for record in records]
        self.offsets.update(next_offsets)
        self.committed = self.position

    def lag(self) -> dict[int, int]:
        return {}

    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...


class Bench:
    """A service with its dependencies."""

    def __init__(self, values: Sequence[bytes], *, is_private: bool = False) -> None:
        self.stop = Event()
        self.health = Health("enrich")
        self.redis_server = fakeredis.FakeServer()
        self.redis = fakeredis.FakeRedis(server=self.redis_server)
        records = [
            Record(partition=number % 2, offset=100 + number, timestamp_ms=NOW_MS, key=b"as sent", value=value)
            for number, value in enumerate(values)
        ]
        self.log = MemoryProcessor(records, self.stop)
        lookups = Lookups(self.redis, "", found_seconds=45, missing_seconds=10, cache_entries=1000, clock=lambda: 0.0)
        self.service = EnrichService(
            self.log,
            lookups,
            ROUTE,
            tally=Tally(lambda: 0.0),
            health=self.health,
            stop=self.stop,
            pseudonyms=Pseudonyms(self.redis, "", "daily", SECRET, lambda: NOW_MS) if is_private else None,
            rules=Rules(exposes_pii=not is_private),
        )

    def on_wait(self, act: Callable[[], None]) -> None:
        """Run `act` whenever the service waits for a dependency."""

        class ActingStop(Event):
            def wait(self, timeout: float | None = None) -> bool:  # noqa: ARG002 - no need to wait in a test
                act()
                return self.is_set()

        stop = ActingStop()
        self.stop = self.log._stop = self.service._stop = stop  # noqa: SLF001 - our own bench

    def enriched(self) -> list[Any]:
        return [msgspec.json.decode(record.value) for record in self.log.sent if record.topic == "enriched-click-data"]

    def dead_letters(self) -> list[NewRecord]:
        return [record for record in self.log.sent if record.topic == "click-data-dlq"]


def click(number: int, **fields: Any) -> bytes:
    return encode_raw(RawEvent(timestamp=NOW_MS + number, userId=f"user{number}", **fields))


def test_click_is_enriched_with_its_visitor_as_key() -> None:
    bench = Bench([click(7, productId="V1", ip="81.2.69.142", userAgent="curl/8.5.0")])
    bench.redis.hset("product:V1", mapping={"cat": "vases", "title": "Blue"})
    bench.redis.hset("visitor:user7", mapping={"gender": "F", "birthday": "1990-09-22"})
    bench.service.run()
    assert [record.key for record in bench.log.sent] == [b"user7"]
    assert bench.enriched() == [
        {
            "timestamp": NOW_MS + 7,
            "original_timestamp": None,
            "userId": "user7",
            "ip": "81.2.69.142",
            "userAgent": "curl/8.5.0",
            "productId": "V1",
            "category": "vases",
            "title": "Blue",
            "gender": "F",
            "country": "United Kingdom",
            "deviceType": "Bot",
            "browser": "curl",
            "operatingSystem": "Other",
            "age": 35,
            "birthdate": "1990-09-22",
        }
    ]


def test_private_click_is_looked_up_by_its_own_id_and_written_hashed_and_truncated() -> None:
    bench = Bench([b"nonsense", click(7, ip="81.2.69.142"), click(8, ip="81.2.69.142:80")], is_private=True)
    bench.redis.hset("visitor:user7", mapping={"gender": "F", "birthday": "1990-09-22"})
    bench.service.run()
    salt = derived_salt(SECRET, period_of(NOW_MS, "daily"))
    assert [(event["userId"], event["ip"], event["country"], event["gender"]) for event in bench.enriched()] == [
        (pseudonym_of("user7", salt), "81.2.69.0", "United Kingdom", "F"),
        (pseudonym_of("user8", salt), None, "Unknown", "U"),
    ]
    keys = [record.key for record in bench.log.sent if record.topic == "enriched-click-data"]
    assert keys == [event["userId"].encode() for event in bench.enriched()]
    assert not any(b"user7" in record.value or b"69.142" in record.value for record in bench.log.sent)
    assert [letter.value for letter in bench.dead_letters()] == [b"nonsense"]


def test_every_record_is_enriched_or_a_dead_letter() -> None:
    values = [click(0), b"nonsense", click(2, productId="GONE"), b"", click(120_000), b"\xff", click(6)]
    bench = Bench(values)
    with capture_logs() as logs:
        bench.service.run()
    assert [event["userId"] for event in bench.enriched()] == ["user0", "user2", "user6"]
    assert bench.enriched()[1]["category"] == bench.enriched()[1]["title"] == "Unknown"
    letters = bench.dead_letters()
    assert [letter.value for letter in letters] == [values[1], values[3], values[4], values[5]]
    assert [dict(letter.headers)["reason"] for letter in letters] == [b"not_json", b"not_json", b"future", b"not_utf8"]
    assert {letter.key for letter in letters} == {b"as sent"}
    assert dict(letters[0].headers) | {"error": b"", "reason": b""} == {
        "reason": b"",
        "error": b"",
        "service": b"enrich",
        "topic": b"click-data",
        "partition": b"1",
        "offset": b"101",
        "timestamp": str(NOW_MS).encode(),
    }
    assert bench.log.offsets == {0: 107, 1: 106}
    assert [line["event"] for line in logs].count("dead letters") == 2  # the first, and the rest at the end


def test_long_text_is_shortened_and_an_event_of_a_long_id_is_a_dead_letter() -> None:
    values = [
        click(0, url="x" * (MAX_EVENT_BYTES - 100)),
        click(1, eventId="x" * 257),
        click(2, productId="\u00e4" * 129),
        encode_raw(RawEvent(timestamp=NOW_MS, userId="x" * 240_000)),
        click(4, userAgent="x" * 125_000, ip="1" * 1000, eventId="x" * 256),
        click(5, gender="F" * 100_000),
    ]
    bench = Bench(values)
    bench.service.run()
    assert {dict(letter.headers)["reason"] for letter in bench.dead_letters()} == {b"too_long"}
    assert [letter.value for letter in bench.dead_letters()] == values[1:4]
    first, second, third = bench.enriched()
    assert (first["url"], len(second["userAgent"]), second["ip"][-2:], third["gender"]) == ("/…", 1022, "1…", "F")
    assert max(len(record.value) for record in bench.log.sent if record.topic == "enriched-click-data") < 2_000


@pytest.mark.parametrize("failing", ["poll_failures", "send_failures"])
def test_unavailable_log_loses_and_duplicates_nothing(failing: str) -> None:
    bench = Bench([click(number) for number in range(10)])
    setattr(bench.log, failing, [LogUnavailable("away"), LogUnavailable("still away")])
    reports: list[Any] = []
    bench.on_wait(lambda: reports.append(bench.health.report()["failures"]))
    bench.service.run()
    assert [event["userId"] for event in bench.enriched()] == [f"user{number}" for number in range(10)]
    assert len(reports) == 2
    assert "away" in reports[0]["log"]
    assert bench.health.report()["status"] == "healthy"


def test_waits_while_redis_is_unavailable() -> None:
    bench = Bench([click(0)])
    bench.redis.hset("visitor:user0", mapping={"gender": "F", "birthday": ""})
    bench.redis_server.connected = False

    def come_back() -> None:
        assert "redis" in bench.health.report()["failures"]  # type: ignore[operator]  # a dictionary
        assert bench.log.sent == []
        bench.redis_server.connected = True

    bench.on_wait(come_back)
    bench.service.run()
    assert [event["gender"] for event in bench.enriched()] == ["F"]
    assert bench.health.report()["status"] == "healthy"


def test_stop_ends_the_wait_for_redis_without_sending() -> None:
    bench = Bench([click(0)])
    bench.redis_server.connected = False
    bench.on_wait(lambda: bench.stop.set())
    bench.service.run()
    assert bench.log.sent == []
    assert bench.log.offsets == {}


def test_fenced_service_ends() -> None:
    bench = Bench([click(0)])
    bench.log.send_failures = [Fenced("another one")]
    with pytest.raises(Fenced):
        bench.service.run()
