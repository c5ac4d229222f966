"""Minute segments that no aggregate wrote: a few kilobytes that become gigabytes, damaged ones, and lists of lies."""

import random
from typing import Any

import pyarrow as pa
import pytest

from services.dashboard.sources.arrow_bounds import Unbounded, check_bounds
from services.dashboard.sources.segment_source import SegmentSource
from services.dashboard.sources.segments import MOST_BYTES, MOST_ROWS, MalformedSegment, assemble, decode_segment
from shared.events.time_units import MINUTE_MS
from shared.rollups.contract import META_KEY
from shared.rollups.segment_keys import SEGMENTS_KEY, segment_field, segment_key
from shared.runtime.redis_client import connect
from tests.support.samples.segments import MINUTE, Row, encoded, stream_of, write_segments

Client = Any
FIELD = segment_field(MINUTE, 0)
HONEST = encoded([Row(visitor=number) for number in range(50)])


def spoilt(segment: bytes, old: bytes, new: bytes) -> bytes:
    assert old in segment
    return segment.replace(old, new)


def bombs() -> dict[str, bytes]:
    thousand = stream_of(pa.table({"t": pa.array([MINUTE * MINUTE_MS] * 1_000, pa.int64())}))
    size = (8_000).to_bytes(8, "little")  # of its column, before the compressed bytes
    zeros = pa.array([0], pa.int64()).take(pa.array([0] * (MOST_ROWS + 1), pa.int32()))
    run = pa.RunEndEncodedArray.from_arrays(pa.array([2**31 - 1], pa.int32()), pa.array([1]))
    return {
        "a terabyte": spoilt(thousand, size, (2**40).to_bytes(8, "little")),
        "negative": spoilt(thousand, size, (-5).to_bytes(8, "little", signed=True)),
        "rows": spoilt(HONEST, (50).to_bytes(8, "little"), (60_000_000).to_bytes(8, "little")),
        "nulls": stream_of(pa.table({"nothing": pa.nulls(60_000_000)})),
        "few nulls": stream_of(pa.table({"nothing": pa.nulls(1_000)})),
        "runs": stream_of(pa.table({"runs": run})),
        "zeros": stream_of(pa.table({"t": zeros})),
        "messages": HONEST[:-8] * 2,
        "cut": HONEST[:-100],
        "no arrow": b"x" * 1000,
        "empty": b"",
    }


BOMBS = bombs()


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_before_it_is_decompressed(name: str) -> None:
    before = pa.total_allocated_bytes()
    peak = pa.default_memory_pool().max_memory()
    with pytest.raises(MalformedSegment):
        decode_segment(FIELD, BOMBS[name])
    assert pa.total_allocated_bytes() <= before + 1_000_000
    assert pa.default_memory_pool().max_memory() <= peak + 1_000_000


def test_an_honest_segment_of_the_greatest_size_is_within_the_bounds() -> None:
    check_bounds(HONEST, 50, 100_000)
    with pytest.raises(Unbounded):
        check_bounds(HONEST, 49, 100_000)
    with pytest.raises(Unbounded):
        check_bounds(HONEST, 50, 500)
    assert MOST_ROWS * 60 < MOST_BYTES


def test_damaged_segments_are_gaps_or_segments(long: bool) -> None:
    chance = random.Random(7)
    honest = decode_segment(FIELD, HONEST)
    words = [b"\xff" * 8, b"\0" * 8, (2**40).to_bytes(8, "little"), (60_000_000).to_bytes(8, "little")]
    for _ in range(20_000 if long else 120):
        damaged = bytearray(HONEST)
        for _ in range(chance.randint(1, 3)):
            place = chance.randrange(len(damaged) - 8)
            word = chance.choice(words) if chance.random() < 0.5 else bytes([chance.randrange(256)])
            damaged[place : place + len(word)] = word
        try:
            frame = assemble([honest, decode_segment(FIELD, bytes(damaged))])
        except MalformedSegment:
            continue
        assert len(frame) <= 2 * len(HONEST)


def test_columns_that_do_not_fit_are_refused() -> None:
    table = pa.ipc.open_stream(HONEST).read_all()
    country = table.column_names.index("country")
    texts = table["country"].chunk(0)
    twice = pa.DictionaryArray.from_arrays(pa.array([0, 1] * 25, pa.int32()), pa.array(["Kenya", "Kenya"]))
    none = pa.DictionaryArray.from_arrays(pa.array([0, 1] * 25, pa.int32()), pa.array(["Kenya", None]))
    long = pa.DictionaryArray.from_arrays(pa.array([0] * 50, pa.int32()), pa.array(["x" * 5000]))
    short = texts.cast(pa.dictionary(pa.int8(), pa.string()))
    for column in (twice, none, long, short, texts.cast(pa.string())):
        with pytest.raises(MalformedSegment):
            decode_segment(FIELD, stream_of(table.set_column(country, "country", column)))
    decode_segment(FIELD, stream_of(table.append_column("of_a_later_release", texts)))
    with pytest.raises(MalformedSegment):
        decode_segment(FIELD, stream_of(table.append_column("nested", pa.array([[1]] * 50))))


# --- the list of segments --------------------------------------------------------------------------------------------


def source(redis_url: str, most_reply_bytes: int) -> SegmentSource:
    client = connect(redis_url, most_reply_bytes=most_reply_bytes)
    return SegmentSource(client, "", now_ms=lambda: (MINUTE + 5) * MINUTE_MS, elapsed_seconds=lambda: 0.0)


def test_lies_in_the_list_hide_no_true_segment(redis_url: str) -> None:
    client: Client = connect(redis_url)
    write_segments(client, [Row(), Row(minute=MINUTE + 1)])
    lies = [
        "9999-12-31T23:59:00Z:0",
        "1970-01-01T00:00:00Z:0",
        "2026-11-22T10:30:30Z:0",
        "2026-11-22T10:30:00Z:٣",
        "foo",
    ]
    client.hset(SEGMENTS_KEY, mapping={**dict.fromkeys(lies, 1), "2026-11-22T10:30:00Z:5": "9" * 5000})
    client.hset(SEGMENTS_KEY, mapping={f"lie {number}": 1 for number in range(10_000)})
    minutes = source(redis_url, 8_000_000).look()
    assert (len(minutes.frame), minutes.end_minute) == (2, MINUTE + 2)
    assert len(minutes.gaps) <= 10


@pytest.mark.parametrize("as_of_ms", ["9" * 15, "9" * 5000, "-1", "1e5"])
def test_a_false_publish_instant_keeps_the_frame(redis_url: str, as_of_ms: str) -> None:
    client: Client = connect(redis_url)
    write_segments(client, [Row()])
    own = source(redis_url, 8_000_000)
    client.hset(META_KEY, "as_of_ms", as_of_ms)
    minutes = own.look()
    assert minutes.trouble is not None
    assert "as_of_ms" in minutes.trouble.reason


def test_one_large_segment_is_a_gap_and_the_others_are_read(redis_url: str) -> None:
    client: Client = connect(redis_url)
    write_segments(client, [Row(partition=number) for number in range(8)])
    client.set(segment_key(segment_field(MINUTE, 3)), b"x" * 2_000_000)
    minutes = source(redis_url, 1_000_000).look()
    assert len(minutes.frame) == 7
    (gap,) = minutes.gaps
    assert gap.partition == 3
