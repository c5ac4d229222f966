"""Minute segments: which are made and when, and that they contain the minute's events."""

import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest

from services.aggregate.columns.dictionaries import Dictionaries
from services.aggregate.columns.dimensions import OPEN_DIMENSIONS
from services.aggregate.columns.names import Names
from services.aggregate.rollups.segments import PartitionMinutes, encode_segment
from services.aggregate.state.opening import resume
from services.aggregate.state.partition import Partition
from shared.events.enriched import encode_enriched
from shared.events.schema import EnrichedEvent
from shared.streams.event_log import Assignment, Record
from tests.support.fakes.memory_store import MemoryStore

MINUTE = 29_922_390
START_S = MINUTE * 60
ASSIGNMENT = Assignment(0, 0, 2**60)


def partition(store: MemoryStore | None = None, kept_seconds: int = 3600) -> Partition:
    return resume(store or MemoryStore(), ASSIGNMENT, START_S, kept_seconds)


def event(second: float, **fields: Any) -> EnrichedEvent:
    return EnrichedEvent(**{"timestamp": round((START_S + second) * 1000), "userId": "a", **fields})


def fold(into: Partition, *events: EnrichedEvent, arrival_s: int = START_S + 59) -> None:
    first = into.next_offset or 0
    records = [
        Record(0, first + place, arrival_s * 1000, None, encode_enriched(event)) for place, event in enumerate(events)
    ]
    into.receive(records)
    into.build_batch()
    into.fold()


def closed(of: Partition, now_s: int) -> PartitionMinutes:
    of.advance(now_s)
    return of.completed_minutes()


def table(minutes: PartitionMinutes, minute: int = MINUTE, most_events: int = 1000) -> Any:
    _, rows = minutes.minutes[minute]
    return pa.ipc.open_stream(encode_segment(rows, minutes.names, most_events)).read_all()


def test_a_segment_is_encoded_without_pandas() -> None:
    """Importing it would delay the first publish by half a second, and take 40 MB."""
    code = (
        "import sys; import numpy as np; "
        "from services.aggregate.columns.batch import ROW; "
        "from services.aggregate.columns.dictionaries import Dictionaries; "
        "from services.aggregate.rollups.segments import encode_segment; "
        "encode_segment([np.zeros(1, ROW)], Dictionaries(), 1); "
        "raise SystemExit('pandas' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


class _Growing(Names[Any]):
    """Names that grow whenever they are counted, because the folding thread may add one at any moment."""

    def __len__(self) -> int:
        size = super().__len__()
        self.codes[f"name {size}"]
        return size


class _GrowingCountries(Dictionaries):
    def of(self, dimension: str) -> Names[Any]:
        names = super().of(dimension)
        return _Growing(names) if dimension == "country" else names


def test_names_may_be_added_while_a_segment_is_made() -> None:
    own = partition()
    own.advance(START_S + 59)
    fold(own, event(1, country="Kenya"), event(2, country="Peru"))
    minutes = closed(own, START_S + 62)
    known = {dimension.name: list(minutes.names.of(dimension.name)) for dimension in OPEN_DIMENSIONS}
    growing = replace(minutes, names=_GrowingCountries(known))
    assert table(growing)["country"].to_pylist() == ["Kenya", "Peru"]


def test_a_segment_holds_the_columns_of_each_event_in_order_of_time() -> None:
    own = partition()
    own.advance(START_S + 59)
    fold(
        own,
        event(
            30,
            userId="b",
            referrer="https://www.google.com/",
            country="Kenya",
            deviceType="Bot",
            browser="Googlebot",
            operatingSystem="Plan 9",
            gender="F",
            eventType="purchase",
            age=0,
            site="blog.example",
        ),
        event(
            2.5,
            productId="p1",
            category="Books",
            title="T",
            url="https://shop.example/p/1?x=1&utm_campaign=spring#top",
            age=41,
            site="https://www.Shop.example/",
        ),
        event(40, userId="b", productId="p2", category="Books"),
    )
    rows = table(closed(own, START_S + 62)).to_pylist()
    assert [row.pop("visitor") for row in rows] == [1, 0, 0]  # numbers, equal for one visitor
    assert [row.pop("timestamp") - START_S * 1000 for row in rows] == [2500, 30_000, 40_000]
    assert [tuple(row.pop(name) for name in ("channel", "campaign", "browser", "operatingSystem")) for row in rows] == [
        ("Direct", "spring", "Other", "Other"),
        ("Organic search", None, "Googlebot", "Other"),
        ("Direct", None, "Other", "Other"),
    ]
    assert [row.pop("site") for row in rows] == ["shop.example", "blog.example", None]
    assert [tuple(row.values()) for row in rows] == [
        ("p1", "Books", "/p/1", "Unknown", "Direct", "page_view", "Other", "U", 41, False),
        (None, None, None, "Kenya", "google.com", "purchase", "Bot", "F", 0, True),
        ("p2", "Books", None, "Unknown", "Direct", "page_view", "Other", "U", None, False),
    ]


def test_the_arrow_types_are_those_of_the_contract() -> None:
    own = partition()
    own.advance(START_S + 59)
    fold(own, event(1, productId="p", category="c", url="/x"))
    schema = table(closed(own, START_S + 62)).schema
    assert schema.field("timestamp").type == pa.int64()
    assert schema.field("visitor").type == pa.uint32()
    assert schema.field("age").type == pa.int16()
    assert schema.field("bot").type == pa.bool_()
    for name in ("productId", "category", "page", "country", "deviceType", "gender", "eventType"):
        assert pa.types.is_dictionary(schema.field(name).type)
        assert schema.field(name).type.value_type == pa.string()
    assert schema.metadata == {b"events": b"1", b"rate": b"1.0"}


def test_a_minute_closes_two_seconds_after_its_end_and_never_changes_by_itself() -> None:
    own = partition()
    own.advance(START_S + 59)
    fold(own, event(1))
    assert not closed(own, START_S + 61).minutes
    version, _ = closed(own, START_S + 62).minutes[MINUTE]
    assert [closed(own, now_s).minutes[MINUTE][0] for now_s in range(START_S + 63, START_S + 70)] == [version] * 7


def test_the_versions_of_two_owners_differ_though_a_minute_ends_for_both_at_once() -> None:
    versions = set()
    for _ in range(2):
        own = partition()
        own.advance(START_S + 59)
        fold(own, event(1))
        versions.add(closed(own, START_S + 62).minutes[MINUTE][0])
    assert len(versions) == 2


def test_a_late_event_raises_only_the_version_of_its_minute() -> None:
    own = partition()
    own.advance(START_S + 119)
    fold(own, event(1), event(61))
    before = closed(own, START_S + 130).minutes
    fold(own, event(5), arrival_s=START_S + 130)
    assert closed(own, START_S + 159).minutes.keys() == before.keys()
    assert closed(own, START_S + 159).minutes[MINUTE][0] == before[MINUTE][0]
    after = closed(own, START_S + 160)
    assert after.minutes[MINUTE][0] > before[MINUTE][0]
    assert after.minutes[MINUTE + 1][0] == before[MINUTE + 1][0]
    assert table(after).num_rows == 2


def test_the_last_publish_of_a_process_rewrites_what_late_events_reopened() -> None:
    own = partition()
    own.advance(START_S + 59)
    fold(own, event(1))
    version, _ = closed(own, START_S + 62).minutes[MINUTE]
    fold(own, event(5), arrival_s=START_S + 62)
    assert own.completed_minutes().minutes[MINUTE][0] == version
    assert own.completed_minutes(is_last=True).minutes[MINUTE][0] > version  # at the same instant


def test_a_flood_of_late_events_rewrites_each_segment_every_30_seconds_and_few_at_once() -> None:
    own = partition(kept_seconds=3600)
    for minute in range(60):
        own.advance(START_S + minute * 60 + 59)
        fold(own, event(minute * 60), arrival_s=START_S + minute * 60 + 59)
    seen: list[dict[int, int]] = []
    for second in range(3600, 3720):
        fold(own, *(event(minute * 60, userId=str(second)) for minute in range(60)), arrival_s=START_S + second)
        seen.append({minute: version for minute, (version, _) in closed(own, START_S + second).minutes.items()})
    rewritten = [
        {minute for minute in after if before.get(minute) not in (None, after[minute])}
        for before, after in pairwise(seen)
    ]
    assert max(map(len, rewritten)) == 2  # sixty minutes in thirty seconds
    for minute in range(5, 55):
        rewrites = [second for second, minutes in enumerate(rewritten) if MINUTE + minute in minutes]
        assert len(rewrites) >= 3
        assert all(30 <= after - before <= 32 for before, after in pairwise(rewrites))


@pytest.mark.parametrize("kept_hours", [1, 2.5, 8.5])
def test_segments_reach_as_far_back_as_configured(kept_hours: float) -> None:
    kept_seconds = round(kept_hours * 3600)
    own = partition(kept_seconds=kept_seconds)
    own.advance(START_S + 59)
    fold(own, event(59))
    assert MINUTE in closed(own, START_S + 59 + kept_seconds - 1).minutes
    assert not closed(own, START_S + 60 + kept_seconds).minutes


def test_a_late_event_beyond_the_trailing_hour_rewrites_its_segment() -> None:
    own = partition(kept_seconds=4 * 3600)
    own.advance(START_S + 59)
    fold(own, event(1))
    later_s = START_S + 3 * 3600
    version, _ = closed(own, later_s).minutes[MINUTE]
    fold(own, event(2, userId="late"), arrival_s=later_s)
    after = closed(own, later_s + 30)
    assert after.minutes[MINUTE][0] > version
    assert table(after).num_rows == 2


@pytest.mark.parametrize("checkpoint", [True, False])
def test_a_restart_keeps_versions_visitors_and_rows(checkpoint: bool) -> None:
    store = MemoryStore()
    own = partition(store)
    own.advance(START_S + 59)
    fold(own, event(1, userId="x"), event(2, userId="y"))
    before = closed(own, START_S + 62)
    if checkpoint:
        own.checkpoint()
    again = resume(store, ASSIGNMENT, START_S + 62)
    after = closed(again, START_S + 65)
    assert table(after).to_pylist() == table(before).to_pylist()
    # Minutes that the checkpoint marks as published stay; the others are published again, to be safe.
    assert (after.minutes[MINUTE][0] == before.minutes[MINUTE][0]) == checkpoint


def test_a_visitor_has_one_number_in_all_segments_of_a_partition_also_after_others_were_forgotten() -> None:
    own = partition()
    for minute in range(60):
        now_s = START_S + minute * 60
        own.advance(now_s)
        once, often = event(minute * 60, userId=f"once {minute}"), event(minute * 60, userId="often")
        fold(own, once, often, arrival_s=now_s)
    own.checkpoint()
    minutes = closed(own, START_S + 60 * 60)
    numbers = [set(table(minutes, MINUTE + minute)["visitor"].to_pylist()) for minute in range(1, 59)]
    assert len(set.intersection(*numbers)) == 1
    assert len(set.union(*numbers)) == 1 + 58


def test_a_crowded_minute_is_a_uniform_sample_with_its_rate() -> None:
    own = partition()
    own.advance(START_S + 59)
    fold(own, *(event(number % 60, userId=f"u{number}") for number in range(2000)))
    minutes = closed(own, START_S + 62)
    sample = table(minutes, most_events=500)
    assert sample.num_rows == 500
    assert sample.schema.metadata == {b"events": b"2000", b"rate": b"0.25"}
    assert sample.equals(table(minutes, most_events=500))  # the same rows give the same sample
    early = sum(row["timestamp"] < (START_S + 30) * 1000 for row in sample.to_pylist())
    assert 150 < early < 350  # uniform: a quarter of each half minute, far from either end


def test_reused_codes_leave_segments_as_they_were() -> None:
    own = partition(kept_seconds=3600)
    own.advance(START_S + 59)
    fold(own, *(event(1, productId=f"old{number}", category="c") for number in range(50)))
    held = closed(own, START_S + 62)  # such as by the sender
    later_s = START_S + 7200
    own.advance(later_s)
    fold(own, event(7200, productId="new", category="d"), arrival_s=later_s)
    own.checkpoint()
    own.advance(START_S + 7320)
    fold(own, event(7320, productId="newer", category="d"), arrival_s=START_S + 7320)
    own.checkpoint()  # drops the fifty, which no figure of two hours has
    fold(own, *(event(7320, productId=f"other{n}", category="d") for n in range(50)), arrival_s=START_S + 7320)
    assert sorted(row["productId"] for row in table(held).to_pylist()) == sorted(f"old{n}" for n in range(50))
    now = closed(own, START_S + 7400)
    assert [row["productId"] for row in table(now, MINUTE + 120).to_pylist()] == ["new"]
    assert len(own.snapshot().popularity_1h["product"].names) == 53
