"""Dead letters that are too long are cut, and those that the log refuses are cut to the least."""

import hashlib

import pytest

from shared.events.dead_letters import LEAST_BYTES, PREFIX_BYTES, WHOLE_BYTES, dead_letter, original_size, smallest
from shared.events.refusals import Origin, Reason, Refusal
from shared.streams.event_log import NewRecord, Refused
from shared.streams.kafka.unreadable import first_true
from shared.streams.parts import parts
from shared.streams.refused import send_dead_letter

ORIGIN = Origin("enrich", "click-data", 3, 42, 0)
REFUSAL = Refusal(Reason.NOT_JSON, "no" * 500)


def test_a_dead_letter_is_whole_up_to_the_limit() -> None:
    letter = dead_letter("click-data", b"key", bytes(WHOLE_BYTES - 3), REFUSAL, ORIGIN)
    assert (letter.topic, letter.key, len(letter.value)) == ("click-data-dlq", b"key", WHOLE_BYTES - 3)
    assert original_size(letter.headers) is None


def test_a_long_one_keeps_a_prefix_with_size_and_digest() -> None:
    value = b"ab" * WHOLE_BYTES
    letter = dead_letter("click-data", b"key", value, REFUSAL, ORIGIN)
    assert letter.value == value[:PREFIX_BYTES]
    assert original_size(letter.headers) == (len(value), hashlib.sha256(value).hexdigest())
    assert original_size(smallest(letter).headers) == original_size(letter.headers)


def test_the_smallest_has_a_key_and_little_of_everything() -> None:
    letter = smallest(dead_letter("click-data", None, bytes(5000), REFUSAL, ORIGIN))
    assert letter.key
    assert len(letter.value) == LEAST_BYTES
    assert all(len(value) <= LEAST_BYTES for _, value in letter.headers)


@pytest.mark.parametrize("text", [b"", b"-1", b"1e9", b"9" * 5000, "²".encode()])
def test_foreign_sizes_are_none(text: bytes) -> None:
    assert original_size((("bytes", text),)) is None


def test_a_dead_letter_that_no_topic_takes_is_given_up() -> None:
    attempts: list[list[int]] = []

    def send(records: object) -> None:
        assert isinstance(records, list)
        attempts.append([len(record.value) for record in records])
        if records:
            raise Refused("too large")

    send_dead_letter(send, dead_letter("click-data", b"key", bytes(5000), REFUSAL, ORIGIN))
    assert attempts == [[5000], [LEAST_BYTES], []]


def test_parts_are_bounded_by_bytes_and_by_records() -> None:
    records = [NewRecord("topic", None, bytes(size)) for size in (5, 5, 20, 1, 1, 1, 1)]
    assert [[len(record.value) for record in part] for part in parts(records, 10, 3)] == [
        [5, 5],
        [20],
        [1, 1, 1],
        [1],
    ]


@pytest.mark.parametrize("end", [11, 12, 13, 17, 40, 99, 100])
def test_the_end_of_an_unreadable_batch_is_found(end: int) -> None:
    assert first_true(11, 100, lambda offset: offset >= end) == end
