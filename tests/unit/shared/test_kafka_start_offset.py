"""Where a partition starts. All examples have a partition whose retained offsets are 10 to 19:

        expired    retained   next  not there yet
offset  0 … 9      10 … 19    20    21 …
"""

import pytest

from shared.streams.event_log import Assignment
from shared.streams.kafka.start_offset import Committed, Verdict, judge_committed, offset_at_time, retained_offset

ASSIGNMENT = Assignment(partition=0, begin_offset=10, end_offset=20, topic_id="new")


@pytest.mark.parametrize(
    ("committed", "verdict"),
    [
        (Committed(-1001), Verdict.NONE),
        (Committed(0, "new"), Verdict.EXPIRED),
        (Committed(9, "new"), Verdict.EXPIRED),
        (Committed(10, "new"), Verdict.USABLE),
        (Committed(20, "new"), Verdict.USABLE),
        (Committed(21, "new"), Verdict.RECREATED),  # deleted and created within one id, or the id is unknown
        (Committed(15, "old"), Verdict.RECREATED),
        (Committed(5, "old"), Verdict.RECREATED),
        (Committed(15), Verdict.USABLE),  # committed without an id
        (Committed(5), Verdict.EXPIRED),
        (Committed(21), Verdict.RECREATED),
    ],
)
def test_a_committed_offset_is_judged_by_the_ends_and_the_topic_id(committed: Committed, verdict: Verdict) -> None:
    assert judge_committed(committed, ASSIGNMENT) is verdict


@pytest.mark.parametrize(("offset", "verdict"), [(9, Verdict.EXPIRED), (15, Verdict.USABLE), (21, Verdict.RECREATED)])
def test_without_a_known_topic_id_only_the_ends_count(offset: int, verdict: Verdict) -> None:
    assert judge_committed(Committed(offset, "old"), Assignment(0, 10, 20)) is verdict


@pytest.mark.parametrize(("offset", "start"), [(0, 10), (9, 10), (10, 10), (15, 15), (20, 20), (21, 10)])
def test_an_offset_that_is_not_retained_starts_at_the_beginning(offset: int, start: int) -> None:
    assert retained_offset(offset, ASSIGNMENT) == start


@pytest.mark.parametrize(("found", "start"), [(10, 10), (19, 19), (-1, 20)])
def test_an_instant_after_the_last_record_starts_at_the_end(found: int, start: int) -> None:
    assert offset_at_time(found, ASSIGNMENT) == start
