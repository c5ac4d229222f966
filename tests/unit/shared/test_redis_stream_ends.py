"""Where a stream starts to be read, and how far it is read.

The stream of the examples had 100 entries, of which the first 40 are trimmed. Offsets are entry ids `<ms>-<sequence>`:

            trimmed    60 entries            next  not there yet
    id      … 999-0    1000-0 … 1600-0    1600-1   1600-2 …
"""

import pytest

from shared.streams.event_log import FromCommitted, FromOffset, FromTime, Position
from shared.streams.redis.layout import offset_of
from shared.streams.redis.stream_ends import Progress, StreamEnds, decode_ends, start_offset

BEGIN, MIDDLE, END = offset_of(b"1000-0"), offset_of(b"1300-0"), offset_of(b"1600-1")
ENDS = StreamEnds(BEGIN, END, length=60, added=100, read_end_offset=END)
INFO = [
    *(b"last-entry", [b"1600-0", [b"v", b""]]),
    *(b"length", 60),
    *(b"entries-added", 100),
    *(b"last-generated-id", b"1600-0"),
    *(b"first-entry", [b"1000-0", [b"v", b""]]),
]


def test_the_ends_are_decoded_from_a_list_or_a_map() -> None:
    assert decode_ends(INFO) == decode_ends(dict(zip(INFO[::2], INFO[1::2], strict=True))) == ENDS
    assert decode_ends([*INFO[:-1], None]).begin_offset == END  # trimmed to nothing


@pytest.mark.parametrize(
    ("position", "committed", "start"),
    [
        (FromCommitted(), None, BEGIN),
        (FromCommitted(), b"%d" % MIDDLE, MIDDLE),
        (FromCommitted(), b"%d" % END, END),
        (FromCommitted(), b"%d" % (BEGIN - 1), BEGIN),
        (FromCommitted(), b"%d" % (END + 1), BEGIN),  # of a stream that was recreated since
        (FromOffset(MIDDLE), b"%d" % BEGIN, MIDDLE),
        (FromOffset(BEGIN - 1), None, BEGIN),
        (FromOffset(END + 1), None, BEGIN),
        (FromTime(1300), None, MIDDLE),
        (FromTime(2000), None, offset_of(b"2000-0")),  # waits for the first entry at or after the instant
    ],
)
def test_an_offset_that_is_not_retained_starts_at_the_beginning(
    position: Position, committed: bytes | None, start: int
) -> None:
    assert start_offset(position, committed, ENDS) == start


@pytest.mark.parametrize(
    ("offset", "lag"), [(offset_of(b"500-0"), 60), (BEGIN, 60), (MIDDLE, 30), (END - 1, 1), (END, 0), (END + 1, 0)]
)
def test_lag_is_exact_at_both_ends_and_estimated_between(offset: int, lag: int) -> None:
    assert ENDS.read_before(offset) == 100 - lag
    assert Progress.starting_at(offset, ENDS).lag == lag


def test_an_estimate_says_zero_only_at_the_end() -> None:
    #   read:   MIDDLE, estimated 30 left ── 40 read ──▶ at least 1 left ── end reached ──▶ 0 left
    progress = Progress.starting_at(MIDDLE, ENDS)
    progress.advance(END - 1, 40)
    assert progress.lag == 1
    progress.advance(END, 1)
    progress.update(ENDS)
    assert (progress.lag, progress.read) == (0, 100)


def test_trimmed_entries_do_not_count_as_unread() -> None:
    progress = Progress.starting_at(BEGIN, ENDS)
    progress.update(StreamEnds(MIDDLE, END, length=10, added=100, read_end_offset=END))
    assert progress.lag == 10


def test_a_flushed_database_starts_the_count_again() -> None:
    progress = Progress.starting_at(END, ENDS)
    progress.update(StreamEnds(offset_of(b"2000-0"), offset_of(b"2002-1"), 3, 3, offset_of(b"2002-1")))
    assert (progress.read, progress.lag) == (0, 3)


def test_a_stream_that_does_not_exist_is_empty() -> None:
    assert start_offset(FromCommitted(), None, StreamEnds()) == 0
    assert Progress.starting_at(0, StreamEnds()).lag == 0


def test_lag_goes_to_zero_when_the_last_entries_are_deleted() -> None:
    #   1000-0 … 1300-0   deleted … 1600-0 │ next
    ends = StreamEnds(BEGIN, END, length=30, added=100, read_end_offset=MIDDLE)
    assert Progress.starting_at(MIDDLE, ends).lag == 0
    progress = Progress.starting_at(BEGIN, ends)
    progress.advance(MIDDLE, 30)
    progress.update(ends)
    assert progress.lag == 0
    assert Progress.starting_at(BEGIN, decode_ends([b"last-entry", None, *INFO[2:-1], None])).lag == 0  # all of them
