"""The layout of records and offsets in Redis."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.streams.event_log import NewRecord, Record, TopicSpec
from shared.streams.redis.layout import (
    ForeignId,
    decode_entries,
    decode_spec,
    encode_fields,
    encode_spec,
    entry_id_before,
    entry_id_of,
    first_offset_at,
    is_foreign,
    offset_of,
    timestamp_ms_of,
)

TIMES_MS = st.integers(0, (1 << 42) - 1)  # until the year 2109
SEQUENCES = st.integers(0, (1 << 20) - 1)


@given(TIMES_MS, SEQUENCES)
def test_an_offset_is_its_entry_id_in_one_integer(time_ms: int, sequence: int) -> None:
    entry_id = b"%d-%d" % (time_ms, sequence)
    offset = offset_of(entry_id)
    assert entry_id_of(offset) == entry_id
    assert timestamp_ms_of(offset) == time_ms
    assert 0 <= offset < 1 << 63  # fits where a Kafka offset does


@given(st.tuples(TIMES_MS, SEQUENCES), st.tuples(TIMES_MS, SEQUENCES))
def test_offsets_rise_with_entry_ids(one: tuple[int, int], other: tuple[int, int]) -> None:
    assert (offset_of(b"%d-%d" % one) < offset_of(b"%d-%d" % other)) == (one < other)


def test_reading_after_the_id_before_an_offset_starts_at_it() -> None:
    assert entry_id_before(offset_of(b"5-3")) == b"5-2"
    assert entry_id_before(first_offset_at(5)) == b"4-1048575"
    assert entry_id_before(0) == b"0-0"


FOREIGN = [b"5-1048576", b"18446744073709551615-18446744073709551615", b"8796093022208-0", b"99999999999999-1048577"]


@pytest.mark.parametrize("entry_id", FOREIGN)
def test_an_id_that_fits_no_offset_is_foreign_and_has_the_nearest_one(entry_id: bytes) -> None:
    assert is_foreign(entry_id, 1 << 60)
    assert 0 <= offset_of(entry_id) < 1 << 63


def test_an_entry_whose_sequence_fits_no_offset_is_not_decoded() -> None:
    with pytest.raises(ForeignId):
        decode_entries(0, [(b"5-1048576", [b"v", b""])])


def test_an_id_of_a_later_time_is_foreign() -> None:
    assert not is_foreign(b"1000-5", 1000)
    assert is_foreign(b"1001-0", 1000)


@given(
    st.none() | st.binary(), st.binary(), st.lists(st.tuples(st.text(), st.binary()), max_size=3).map(tuple), TIMES_MS
)
def test_a_decoded_entry_is_the_encoded_record(
    key: bytes | None, value: bytes, headers: tuple[tuple[str, bytes], ...], time_ms: int
) -> None:
    fields = encode_fields(NewRecord("topic", key, value, headers))
    replied = [field.encode() if isinstance(field, str) else field for field in fields]
    (record,) = decode_entries(3, [(b"%d-0" % time_ms, replied)])
    assert record == Record(3, offset_of(b"%d-0" % time_ms), time_ms, key, value, headers)


def test_a_decoded_specification_is_the_encoded_one() -> None:
    spec = TopicSpec("topic", 4, 86_400_000)
    assert decode_spec("topic", encode_spec(spec)) == spec


@pytest.mark.parametrize(
    "text", [b"", b"{}", b"4", b'{"partitions": "four"}', b'{"partitions": 4}', b'{"partitions": 0, "retention_ms": 1}']
)
def test_an_invalid_specification_names_its_topic(text: bytes) -> None:
    with pytest.raises(ValueError, match="click-data"):
        decode_spec("click-data", text)
