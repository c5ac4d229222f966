"""The loop of history, on a fake log and a store in memory: outages, stale offsets and refused events."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from threading import Event
from typing import Any, Self

import pytest
from structlog.testing import capture_logs

from services.history.__main__ import main
from services.history.failures import DatabaseUnavailable, RowsRefused, StaleOffsets
from services.history.rows import Batch, Outcomes
from services.history.service import HistoryService
from services.history.sql.store import Place
from shared.events.enriched import encode_enriched
from shared.events.refusals import read_dead_letter_headers
from shared.events.schema import EnrichedEvent
from shared.privacy.erasures import NO_ERASURES, Erasure, Erasures, token_of
from shared.runtime.settings import ConfigurationError
from shared.status.gauges import Gauges
from shared.status.health import Health
from shared.streams.event_log import Assignment, FromOffset, LogUnavailable, Record
from shared.streams.kafka.start_offset import Verdict
from tests.support.fakes.memory_producer import MemoryProducer

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
TOPIC = "enriched-click-data"


class OnePartition:
    """A consumer of partition 0, over a list."""

    def __init__(self, users: Sequence[str]) -> None:
        self.records = [
            Record(0, offset, NOW_MS, b"key", encode_enriched(EnrichedEvent(timestamp=NOW_MS, userId=user)))
            for offset, user in enumerate(users)
        ]
        self.committed: dict[int, int] = {}
        self.outages = 0
        self.rewinds = 0
        self.is_revoking = False
        self._listener: HistoryService | None = None
        self._at: int | None = None

    def listen(self, service: HistoryService) -> None:
        self._listener = service

    def poll(self, max_records: int, timeout_seconds: float) -> Sequence[Record]:
        assert timeout_seconds > 0
        assert self._listener is not None
        if self.outages:
            self.outages -= 1
            raise LogUnavailable("broker is unreachable")
        if self._at is None:
            self._at = self._listener.on_assigned(Assignment(0, 0, len(self.records))).offset
        found = self.records[self._at : self._at + max_records]
        self._at += len(found)
        if self.is_revoking:
            self._listener.on_revoked(0)
        return found

    def commit(self, next_offsets: Mapping[int, int]) -> None:
        self.committed.update(next_offsets)

    def rewind(self) -> None:
        self.rewinds += 1
        self._at = None

    def revoke_kept(self) -> None: ...

    def lag(self) -> dict[int, int]:
        return {} if self._at is None else {0: len(self.records) - self._at}

    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...


class MemoryStore:
    """Refuses events of "bad", and raises what is in `errors` first."""

    def __init__(self) -> None:
        self.place = Place("", 0)
        self.users: list[str] = []
        self.errors: list[Exception] = []
        self.outcomes = Outcomes()
        self.differs_to: list[tuple[int, datetime]] = []
        self.retired: list[date] = []
        self.on_write: Callable[[], None] = lambda: None
        self.erasures = NO_ERASURES

    def claim(self, assignment: Assignment) -> Place:
        assert assignment.partition == 0
        self._fail()
        return self.place

    def write(self, batch: Batch, places: Mapping[int, Place]) -> dict[int, Outcomes]:
        self.on_write()
        self._fail()
        if places[0][:2] != self.place[:2]:
            raise StaleOffsets("not there any more")
        if any(row.visitor == "bad" for _, row in batch.rows):
            raise RowsRefused("refused")
        self.users += [row.visitor for _, row in batch.rows]
        self.outcomes.refused += batch.outcomes[0].refused
        self.differs_to += batch.differs_to.items()
        self.outcomes.erased += batch.outcomes[0].erased
        self.place = Place("", batch.next_offsets[0])
        return {0: replace(batch.outcomes[0], kept=len(batch.rows))}

    def retire(self, today: date, *, raw_days: int, minute_days: int) -> list[date]:
        assert (raw_days, minute_days) == (30, 400)
        self._fail()
        self.retired.append(today)
        return []

    def _fail(self) -> None:
        if self.errors:
            raise self.errors.pop(0)


class Site:
    """A service with all of its edges."""

    def __init__(self, users: Sequence[str]) -> None:
        self.consumer, self.store, self.producer = OnePartition(users), MemoryStore(), MemoryProducer()
        self.health, self.gauges, self.stop = Health("history"), Gauges(), Event()
        self.now_s = 0.0
        self.service = HistoryService(
            self.store,
            self.producer,
            topic=TOPIC,
            batch_records=4,
            raw_days=30,
            minute_days=400,
            health=self.health,
            gauges=self.gauges,
            stop=self.stop,
            log_address="memory",
            database_address="memory",
            now=lambda: NOW,
            elapsed_seconds=lambda: self.now_s,
        )
        self.consumer.listen(self.service)

    def work(self) -> None:
        self.service.work(self.consumer)


@pytest.mark.parametrize(("unread", "waits"), [(900, [0.5]), (1_100, [])])
def test_it_waits_for_more_only_while_few_are_unread(
    unread: int, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site("a" * (4 + unread))
    waited: list[float] = []
    monkeypatch.setattr(site.stop, "wait", waited.append)
    site.work()
    assert waited == waits


def test_events_are_stored_and_offsets_committed_for_monitoring() -> None:
    site = Site("abcdef")
    site.work()
    assert (site.store.users, site.consumer.committed, site.gauges.lag) == (list("abcd"), {0: 4}, {0: 2})
    site.work()
    assert (site.store.users, site.gauges.events, site.gauges.lag) == (list("abcdef"), 6, {0: 0})


def test_reading_starts_where_sql_is_and_not_where_the_group_is() -> None:
    site = Site("abcdef")
    site.store.place = Place("", 3)
    site.consumer.committed = {0: 5}
    assert site.service.on_assigned(Assignment(0, 0, 6)) == FromOffset(3)
    site.work()
    assert site.store.users == list("def")


def test_an_outage_degrades_shows_the_lag_and_loses_nothing() -> None:
    site = Site("abcdef")
    seen: list[Any] = []
    site.work()
    site.store.errors = [DatabaseUnavailable("gone"), DatabaseUnavailable("closed")]
    site.store.on_write = lambda: seen.append((site.health.report()["status"], site.gauges.lag))
    site.work()
    assert seen == [("healthy", {0: 2}), ("degraded", {0: 2}), ("degraded", {0: 2})]
    assert (site.store.users, site.health.report()["status"]) == (list("abcdef"), "healthy")


def test_the_service_waits_for_postgres_at_its_start_and_stops_meanwhile() -> None:
    site = Site("ab")
    site.store.errors = [DatabaseUnavailable("refused"), DatabaseUnavailable("refused")]
    site.work()
    assert site.store.users == ["a", "b"]
    endless = Site("ab")
    endless.store.errors = [DatabaseUnavailable("refused")] * 10_000
    endless.stop.set()
    endless.service.run(endless.consumer)
    assert endless.store.users == []


def test_stale_offsets_are_read_again_from_sql() -> None:
    site = Site("abcdefgh")
    site.work()
    site.store.place = Place("", 6)  # another replica stored e and f
    site.work()
    assert (site.store.users, site.consumer.rewinds) == (list("abcd"), 1)
    site.work()
    assert (site.store.users, site.gauges.events) == (list("abcdgh"), 6)
    assert site.gauges.stored == {"stored": 6}


def test_a_batch_of_an_erased_visitor_is_built_again_without_it() -> None:
    """`clickpulse forget` reached SQL after the batch was built, and history cannot see Redis's list."""
    site = Site(["ada", "bob", "ada"])
    erasure = Erasure(NOW_MS, NOW_MS + 1)

    def erase() -> None:
        site.store.on_write = lambda: None
        site.store.erasures = Erasures({token_of("ada"): erasure})
        site.store.errors = [StaleOffsets("visitors were erased")]

    site.store.on_write = erase
    site.work()
    assert (site.store.users, site.consumer.rewinds) == ([], 1)
    site.work()
    assert (site.store.users, site.store.outcomes.erased) == (["bob"], 2)
    assert site.gauges.stored == {"stored": 1, "erased": 2}


def test_an_unknown_commit_is_not_repeated() -> None:
    """The connection broke while it committed: the batch is in SQL, and the second attempt finds that out."""
    site = Site("abcd")

    def commit_and_break() -> None:
        site.store.on_write = lambda: None
        site.store.place, site.store.users = Place("", 4), list("abcd")
        raise DatabaseUnavailable("connection lost")

    site.store.on_write = commit_and_break
    site.work()
    site.work()
    assert (site.store.users, site.consumer.rewinds) == (list("abcd"), 1)


def test_a_refused_event_becomes_a_dead_letter_and_the_batch_is_stored() -> None:
    site = Site(["a", "b", "bad", "c"])
    site.producer.outages = 1
    site.work()
    assert (site.store.users, site.store.place, site.store.outcomes.refused) == (["a", "b", "c"], Place("", 4), 1)
    (letter,) = site.producer.records
    reason, error, origin = read_dead_letter_headers(letter.headers)
    assert (letter.topic, letter.value) == (f"{TOPIC}-dlq", site.consumer.records[2].value)
    assert (reason, error, origin.service, origin.offset) == ("refused_by_database", "refused", "history", 2)
    assert site.gauges.dead_letters == {"refused_by_database": 1}
    assert site.gauges.stored == {"stored": 3, "refused": 1}
    assert site.store.differs_to == [(0, NOW)], "aggregate counts it"


def test_records_of_a_partition_revoked_during_the_poll_are_left_to_its_next_owner() -> None:
    site = Site("ab")
    site.consumer.is_revoking = True
    site.work()
    assert (site.store.users, site.gauges.lag) == ([], {})


def test_an_outage_of_the_log_is_waited_out() -> None:
    site = Site("ab")
    site.consumer.outages = 2
    site.work()
    assert (site.store.users, site.health.report()["status"]) == (["a", "b"], "healthy")


def test_retention_is_applied_at_the_start_and_every_ten_minutes() -> None:
    site = Site("abcdefghijkl")
    site.work()
    site.now_s = 599
    site.work()
    assert site.store.retired == [NOW.date()]
    site.now_s = 600
    site.work()
    assert site.store.retired == [NOW.date()] * 2


@pytest.mark.parametrize(
    ("place", "level", "said"),
    [
        (Place("b", 7, Verdict.EXPIRED, 5), "error", {"at_most": 5}),
        (Place("b", 7, Verdict.EXPIRED, None), "warning", {}),
        (Place("b", 7, Verdict.RECREATED, None), "warning", {}),
    ],
)
def test_lost_records_are_reported(place: Place, level: str, said: dict[str, int]) -> None:
    site = Site("ab")
    site.store.place = place
    with capture_logs() as lines:
        assert site.service.on_assigned(Assignment(0, 7, 9, "b")) == FromOffset(7)
    (line,) = lines
    assert line["log_level"] == level
    assert {name: value for name, value in line.items() if name == "at_most"} == said
    assert ("remedy" in line) is (place.verdict is Verdict.EXPIRED)
    assert site.gauges.stored.get("lost") == said.get("at_most")


def test_a_gap_after_an_outage_of_postgres_is_looked_into_once() -> None:
    """The log goes on with the oldest record that is left, and only a new claim sees what is missing."""
    site = Site("abcdefghijkl")
    site.work()
    site.store.errors = [DatabaseUnavailable("gone")]
    site.work()
    assert site.store.users == list("abcdefgh")
    del site.consumer.records[8:10]  # left the topic meanwhile
    site.work()
    assert (site.store.users, site.consumer.rewinds) == (list("abcdefgh"), 1)
    site.work()  # the fake store claims offset 8 again; a real one counts what is lost
    assert (site.store.users, site.consumer.rewinds) == (list("abcdefghkl"), 1)


@pytest.mark.parametrize("url", ["mysql://host/db", "postgresql://user:secret@[::1/db", "?"])
def test_a_wrong_url_is_a_wrong_setting_and_its_password_is_not_shown(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HISTORY_URL", url)
    with pytest.raises(ConfigurationError, match="HISTORY_URL: expected postgresql://") as raised:
        main([])
    assert "secret" not in str(raised.value)
