"""Where to start reading a partition. Pure."""

from enum import Enum
from typing import NamedTuple

from shared.streams.event_log import Assignment


class Committed(NamedTuple):
    """A group's committed offset, negative if it has none, and the id of the topic it was committed for, if known."""

    offset: int
    topic_id: str = ""


class Verdict(Enum):
    """What became of the records at a committed offset."""

    USABLE = "they are there, or come next"
    NONE = "nothing was committed"
    RECREATED = "they were of a topic of that name that is gone"
    EXPIRED = "they left retention"


def judge_committed(committed: Committed, assignment: Assignment) -> Verdict:
    """Whether reading can continue at the committed offset; otherwise it starts at the beginning.

    A topic without a known id counts as recreated once the committed offset is ahead of its end.
    """
    is_of_another = committed.topic_id and assignment.topic_id and committed.topic_id != assignment.topic_id
    if is_of_another or committed.offset > assignment.end_offset:
        return Verdict.RECREATED
    if committed.offset < 0:
        return Verdict.NONE
    if committed.offset < assignment.begin_offset:
        return Verdict.EXPIRED
    return Verdict.USABLE


def retained_offset(offset: int, assignment: Assignment) -> int:
    """The offset if its record is retained or comes next, else the beginning.

    An offset ahead of the end means that the topic was recreated, so nothing of it has been read.
    """
    begin, end = assignment.begin_offset, assignment.end_offset
    return offset if begin <= offset <= end else begin


def offset_at_time(found: int, assignment: Assignment) -> int:
    """`found`, the first offset at or after an instant, or the end if it is negative because no such record exists."""
    return found if found >= 0 else assignment.end_offset
