"""Duplicates: the eventId of a visitor counts once, until 3,600 s after it arrived first."""

import pytest

from shared.rollups.model import Meta
from tests.support.oracle.timeline import T, Timeline, click


def outcome(meta: Meta) -> tuple[int, int]:
    return meta.counted, meta.duplicates


@pytest.mark.parametrize(("seconds", "found"), [(0, (1, 1)), (3599, (1, 1)), (3600, (2, 0)), (3601, (2, 0))])
def test_an_event_id_is_remembered_for_an_hour_of_arrivals(seconds: int, found: tuple[int, int]) -> None:
    #   arrives     first                     +3,599 s  +3,600 s
    #  ───────────────●───────────────────────────○─────────●──▶
    #              counted                   duplicate   counted
    timeline = Timeline(T)
    timeline.arrive(T, click(T, eventId="e1"))
    timeline.arrive(T + seconds, click(T, eventId="e1"))
    assert outcome(timeline.publish(T + seconds).meta) == found


def test_a_duplicate_does_not_extend_the_hour() -> None:
    #   arrives     first          +3,000 s      +3,600 s
    #  ───────────────●────────────────○─────────────●──▶
    #              counted         duplicate      counted
    timeline = Timeline(T)
    for arrival in (T, T + 3000, T + 3600):
        timeline.arrive(arrival, click(T, eventId="e1"))
    assert outcome(timeline.publish(T + 3600).meta) == (2, 1)


def test_arrival_decides_and_not_event_time() -> None:
    #   event time  T−7,200                    T
    #  ────────────────●───────────────────────○──▶   both arrive at T
    timeline = Timeline(T)
    timeline.arrive(T, click(T - 7200, eventId="e1"), click(T, eventId="e1"))
    assert outcome(timeline.publish(T).meta) == (1, 1)
    assert timeline.everyone(T).views["1h"] == 0


def test_an_event_without_an_id_is_no_duplicate() -> None:
    #  ─────●●─────┤ T    the same event twice, without an eventId
    timeline = Timeline(T)
    timeline.arrive(T, click(T), click(T))
    assert outcome(timeline.publish(T).meta) == (2, 0)


def test_an_event_id_is_that_of_its_visitor() -> None:
    #  ─────○──●─●─┤ T    ids that eve guessed and sent first suppress none of ada's clicks
    timeline = Timeline(T)
    timeline.arrive(T, *(click(T, "eve", eventId=f"ada-{number}") for number in range(50)))
    timeline.arrive(T, *(click(T, "ada", eventId=f"ada-{number}") for number in range(50)), click(T, eventId="ada-0"))
    assert outcome(timeline.publish(T).meta) == (100, 1)


def test_a_dropped_event_is_not_remembered() -> None:
    #   arrives   T: late         T: in time
    #  ─────────────○────────────────●──▶    the same eventId
    timeline = Timeline(T)
    timeline.arrive(T, click(T - 40_000, eventId="e1"), click(T, eventId="e1"))
    meta = timeline.publish(T).meta
    assert (outcome(meta), meta.late) == ((1, 0), 1)
    assert timeline.everyone(T).views["5m"] == 1
