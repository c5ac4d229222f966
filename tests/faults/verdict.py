"""The verdict of a run: every click is where it belongs, once, and every rollup equals the oracle's."""

import time
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Final

from shared.events.enriched import decode_enriched
from shared.events.refusals import dead_letter_topic, read_dead_letter_headers
from shared.events.schema import EnrichedEvent
from shared.rollups.model import Meta
from shared.runtime.settings import ServiceSettings
from shared.streams.choose import open_log
from shared.streams.event_log import Assignment, FromTime, LogUnavailable, Position, Record
from tests.faults.clicks import GOALS, Click, number_of
from tests.support.oracle.naive_rollups import Arrived, outcomes
from tests.support.oracle.publish_check import assert_published

_QUIET_SECONDS: Final = 3.0
_READ_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True)
class Topics:
    """All records of every topic, each partition in order."""

    raw: Sequence[Record]
    refused_raw: Sequence[Record]
    enriched: Sequence[Record]
    refused_enriched: Sequence[Record]


def read_topics(settings: ServiceSettings) -> Topics:
    """Read everything that is committed. Call when nothing writes any more."""
    raw, enriched = settings.raw_topic, settings.enriched_topic
    names = raw, dead_letter_topic(raw), enriched, dead_letter_topic(enriched)
    return Topics(*(read_topic(settings, name) for name in names))


def read_topic(settings: ServiceSettings, topic: str) -> list[Record]:
    """Every committed record of a topic, in order of partition and offset."""
    records: list[Record] = []
    deadline = time.monotonic() + _READ_SECONDS
    quiet_since = time.monotonic()
    everything = _Everything()
    with (
        closing(open_log(settings, "test")) as log,
        log.consumer(topic, f"test-{uuid.uuid4().hex}", everything) as consumer,
    ):
        while time.monotonic() - quiet_since < _QUIET_SECONDS:
            assert time.monotonic() < deadline, f"{topic} does not end"
            try:
                batch = consumer.poll(10_000, 0.5)
            except LogUnavailable:  # temporary: a busy broker answers late
                quiet_since = time.monotonic()
                continue
            records += batch
            if batch or len(everything.assigned) < settings.partitions:
                quiet_since = time.monotonic()
    return sorted(records, key=lambda record: (record.partition, record.offset))


def assert_each_click_once(topics: Topics, sent: Mapping[int, Click]) -> None:
    """Each raw record is an enriched click or a dead letter, once; each visitor's clicks keep their order."""
    raw_numbers = Counter(number_of(record.value) for record in topics.raw)
    lost_by_the_log = sent.keys() - raw_numbers.keys()
    assert not lost_by_the_log, f"sent and not in the raw topic: {sorted(lost_by_the_log)[:20]}"
    assert raw_numbers.keys() == sent.keys(), "the raw topic has clicks that nobody sent"
    found = Counter(number_of(record.value) for record in topics.enriched if not _is_bad(record))
    found += Counter(number_of(record.value) for record in topics.refused_raw)
    lost, doubled = raw_numbers - found, found - raw_numbers
    assert not lost, f"{lost.total()} lost: {_some(lost)}"
    assert not doubled, f"{doubled.total()} doubled: {_some(doubled)}"
    for record in topics.enriched:
        if not _is_bad(record):
            event = _event(record)
            assert (event.timestamp, event.userId, event.productId) == sent[number_of(record.value)].facts
    origins = [read_dead_letter_headers(letter.headers)[2] for letter in topics.refused_raw]
    values = {(record.partition, record.offset): record.value for record in topics.raw}
    assert len({(origin.partition, origin.offset) for origin in origins}) == len(origins)
    for letter, origin in zip(topics.refused_raw, origins, strict=True):
        assert values[origin.partition, origin.offset] == letter.value
        assert sent[number_of(letter.value)].facts is None, "a good click among the dead letters"
    assert _order(topics.enriched) == _order([r for r in topics.raw if sent[number_of(r.value)].facts is not None])


def assert_rollups_are_the_oracles(client: object, topics: Topics, bad_enriched: Sequence[bytes]) -> Meta:
    """Every published figure follows from the enriched topic, and every record of it is accounted for."""
    bad = [record for record in topics.enriched if _is_bad(record)]
    assert {record.value for record in bad} == set(bad_enriched)
    log = [
        Arrived(_event(record), record.timestamp_ms, record.partition, record.offset)
        for record in topics.enriched
        if not _is_bad(record)
    ]
    expected = {outcome: len(arrived) for outcome, arrived in outcomes(log).items()}
    expected["dead_letters"] += len(bad)
    meta = assert_published(client, log, GOALS)
    assert {outcome: getattr(meta, outcome) for outcome in expected} == expected
    letters = {
        (origin.partition, origin.offset, letter.value)
        for letter in topics.refused_enriched
        for _, _, origin in [read_dead_letter_headers(letter.headers)]
    }
    assert letters == {(record.partition, record.offset, record.value) for record in bad}  # each at least once
    return meta


def _is_bad(record: Record) -> bool:
    return record.value.startswith(b"no event")


def _event(record: Record) -> EnrichedEvent:
    event = decode_enriched(record.value)
    assert isinstance(event, EnrichedEvent)
    return event


def _order(records: Sequence[Record]) -> dict[bytes | None, list[int]]:
    """The numbers of each visitor's clicks in the order of the log."""
    order: dict[bytes | None, list[int]] = {}
    for record in records:
        if not _is_bad(record):
            order.setdefault(record.key, []).append(number_of(record.value))
    return order


def _some(numbers: Counter[int]) -> list[tuple[int, int]]:
    return sorted(numbers.items())[:20]


class _Everything:
    def __init__(self) -> None:
        self.assigned: set[int] = set()

    def on_assigned(self, assignment: Assignment) -> Position:
        self.assigned.add(assignment.partition)
        return FromTime(0)

    def on_revoked(self, partition: int) -> None:
        """Keeps nothing."""
