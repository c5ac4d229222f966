"""Minute segments in a real Redis: which are written, kept, and rewritten."""

import time
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from services.aggregate.columns.batch import NONE, ROW
from services.aggregate.columns.dictionaries import Dictionaries
from services.aggregate.columns.dimensions import OPEN_DIMENSIONS
from services.aggregate.publishing.segment_writer import SegmentWriter
from services.aggregate.rollups.segments import PartitionMinutes
from shared.events.timestamps import iso_second
from shared.rollups.segment_keys import SEGMENTS_KEY, segment_field, segment_key
from shared.runtime.redis_client import connect

NOW_S = int(time.time())  # Redis expires keys by its own clock
MINUTE = NOW_S // 60 - 5
HOUR = 3600


@pytest.fixture
def client(redis_url: str) -> Any:
    with connect(redis_url) as client:
        yield client


def writer(client: Any, prefix: str = "") -> SegmentWriter:
    return SegmentWriter(client, prefix, kept_seconds=HOUR, most_events=1000)


def minutes(versions: dict[int, int], partition: int = 0) -> PartitionMinutes:
    """Minutes of three events each, with a country and an event type."""
    rows = np.zeros(3, ROW)
    for dimension in OPEN_DIMENSIONS:
        rows[dimension.name] = NONE
    rows["country"] = rows["event_type"] = 0
    rows["age"] = NONE
    names = Dictionaries({"country": ["Kenya"], "event_type": ["page_view"]})
    return PartitionMinutes(partition, names, {minute: (version, [rows]) for minute, version in versions.items()})


def versions(client: Any, prefix: str = "") -> dict[str, int]:
    return {field.decode(): int(version) for field, version in client.hgetall(prefix + SEGMENTS_KEY).items()}


def written(client: Any) -> int:
    return int(client.info("commandstats").get("cmdstat_set", {"calls": 0})["calls"])


@pytest.mark.parametrize("prefix", ["", "shop:"])
def test_a_segment_is_an_arrow_stream_under_the_contracts_key_and_expires(client: Any, prefix: str) -> None:
    writer(client, prefix).write(NOW_S, [minutes({MINUTE: 7}, partition=3)])
    label = iso_second(MINUTE * 60_000)
    assert versions(client, prefix) == {f"{label}:3": 7}
    table = pa.ipc.open_stream(client.get(f"{prefix}segment:{label}:3")).read_all()
    assert table["country"].to_pylist() == ["Kenya"] * 3
    assert client.expiretime(f"{prefix}segment:{label}:3") == MINUTE * 60 + HOUR + 120
    assert 0 < client.ttl(prefix + SEGMENTS_KEY) <= HOUR + 120


def test_only_new_and_changed_segments_are_written(client: Any) -> None:
    own = writer(client)
    own.write(NOW_S, [minutes({MINUTE: 1, MINUTE + 1: 1})])
    before = written(client)
    own.write(NOW_S + 1, [minutes({MINUTE: 1, MINUTE + 1: 1})])
    assert written(client) == before
    own.write(NOW_S + 2, [minutes({MINUTE: 2, MINUTE + 1: 1, MINUTE + 2: 1})])
    assert written(client) == before + 2
    assert versions(client) == {segment_field(MINUTE + place, 0): (2, 1, 1)[place] for place in range(3)}


@pytest.mark.parametrize("changes", [False, True])
def test_many_segments_are_encoded_over_four_publishes_and_written_together(client: Any, *, changes: bool) -> None:
    """Also where late events change every one of them before each publish."""
    own = writer(client)
    for second in range(1, 5):
        assert versions(client) == {}
        own.write(NOW_S + second, [minutes(dict.fromkeys(range(MINUTE, MINUTE + 20), second if changes else 1))])
    encoded_in = [place // 5 + 1 if changes else 1 for place in reversed(range(20))]  # the newest first
    assert versions(client) == {segment_field(MINUTE + place, 0): encoded_in[place] for place in range(20)}


def test_a_restart_writes_no_segment_again(client: Any) -> None:
    writer(client).write(NOW_S, [minutes({MINUTE: 1})])
    before = written(client)
    writer(client).write(NOW_S + 1, [minutes({MINUTE: 1})])
    assert written(client) == before


def test_segments_lost_by_a_flush_are_written_again(client: Any) -> None:
    own = writer(client)
    own.write(NOW_S, [minutes({MINUTE: 1, MINUTE + 1: 1})])
    client.flushall()
    own.write(NOW_S + 1, [minutes({MINUTE: 1, MINUTE + 1: 1})])  # notices the loss
    own.write(NOW_S + 2, [minutes({MINUTE: 1, MINUTE + 1: 1})])
    assert versions(client) == {segment_field(MINUTE, 0): 1, segment_field(MINUTE + 1, 0): 1}
    assert client.exists(segment_key(segment_field(MINUTE, 0)))


def test_an_expired_minute_is_deleted(client: Any) -> None:
    own = writer(client)
    own.write(NOW_S, [minutes({MINUTE: 1, MINUTE + 1: 1})])
    own.write(NOW_S + 60, [minutes({MINUTE + 1: 1})])
    assert versions(client) == {segment_field(MINUTE + 1, 0): 1}
    assert not client.exists(segment_key(segment_field(MINUTE, 0)))


def test_another_replicas_segments_are_kept_until_they_expire(client: Any) -> None:
    writer(client).write(NOW_S, [minutes({MINUTE: 1}, partition=1)])
    own = writer(client)
    own.write(NOW_S, [minutes({MINUTE: 1})])
    assert versions(client) == {segment_field(MINUTE, 0): 1, segment_field(MINUTE, 1): 1}
    own.write(NOW_S + HOUR + 60, [minutes({})])
    assert versions(client) == {}
    assert list(client.keys("segment:*")) == []


def test_older_versions_by_another_replica_or_a_crash_of_redis_are_overwritten_within_seconds(client: Any) -> None:
    own = writer(client)
    own.write(NOW_S, [minutes({MINUTE: 5, MINUTE + 1: 5})])
    writer(client).write(
        NOW_S, [minutes({MINUTE: 4, MINUTE + 1: 5})]
    )  # which does not know yet that the partition moved
    for later_s in range(1, 6):
        own.write(NOW_S + later_s, [minutes({MINUTE: 5, MINUTE + 1: 5})])
    assert versions(client)[segment_field(MINUTE, 0)] == 5


def test_of_a_partition_that_moved_only_the_segments_that_differ_are_written(client: Any) -> None:
    writer(client).write(NOW_S, [minutes({MINUTE: 1, MINUTE + 1: 1}, partition=1)])
    before = written(client)
    writer(client).write(NOW_S + 1, [minutes({MINUTE: 9, MINUTE + 1: 1}, partition=1)])  # partly rebuilt
    assert written(client) == before + 1
    assert versions(client)[segment_field(MINUTE, 1)] == 9
