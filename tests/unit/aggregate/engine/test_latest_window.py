"""Latest events and visitors: of the trailing hour, by event time; ties go to the one that arrived last."""

from shared.rollups.model import LATEST_EVENTS_SHOWN, LATEST_VISITORS_SHOWN, PublishedEvent
from tests.support.oracle.timeline import T, Timeline, click


def users(events: list[PublishedEvent]) -> list[str]:
    return [event["userId"] for event in events]


def test_an_event_is_shown_for_an_hour() -> None:
    #     T−3,600  T−3,599                  T     T+1
    #  ───────○───────●─────────────────────●──────○──▶
    #        ada     bea                   cyd    dan
    timeline = Timeline(T)
    timeline.arrive(T, click(T - 3600, "ada"), click(T - 3599, "bea"), click(T, "cyd"), click(T + 1, "dan"))
    rollup = timeline.publish(T)
    assert users(rollup.latest_events) == users(rollup.latest_visitors) == ["cyd", "bea"]
    rollup = timeline.publish(T + 1)
    assert users(rollup.latest_events) == users(rollup.latest_visitors) == ["dan", "cyd"]


def test_event_time_decides_and_arrival_breaks_a_tie() -> None:
    #   event time    T−2    T−1
    #  ────────────────●──────●●───┤ T
    #   arrives       3rd   1st, 2nd
    timeline = Timeline(T)
    timeline.arrive(T, click(T - 1, "first"))
    timeline.arrive(T + 1, click(T - 1, "second"))
    timeline.arrive(T + 2, click(T - 2, "third"))
    assert users(timeline.publish(T + 2).latest_events) == ["second", "first", "third"]


def test_a_millisecond_decides() -> None:
    #   event time    T−1 +0 ms   T−1 +1 ms
    #  ───────────────────●───────────●─────┤ T
    #   arrives          2nd         1st
    timeline = Timeline(T)
    timeline.arrive(T, click(T - 1, "newer", plus_ms=1), click(T - 1, "older"))
    assert users(timeline.publish(T).latest_events) == ["newer", "older"]


def test_a_visitor_is_shown_once_by_its_latest_event() -> None:
    #  ────●──────●──────●───┤ T
    #     ada    bea    ada
    timeline = Timeline(T)
    timeline.arrive(T, click(T - 3, productId="old"), click(T - 2, "bea"), click(T - 1, productId="new"))
    visitors = timeline.publish(T).latest_visitors
    assert [(visitor["userId"], visitor["productId"]) for visitor in visitors] == [("ada", "new"), ("bea", None)]


def test_the_oldest_are_cut() -> None:
    #   100 events are shown     T−100  T−99               T
    #  ────────────────────────────○──────●──── … ─────────●
    #    10 visitors are shown                 T−10  T−9   T
    #  ──────────────────────────────────────────○────●─ … ●
    timeline = Timeline(T)
    timeline.arrive(T, *(click(T - ago, f"user {ago}") for ago in range(101)))
    rollup = timeline.publish(T)
    assert users(rollup.latest_events) == [f"user {ago}" for ago in range(LATEST_EVENTS_SHOWN)]
    assert users(rollup.latest_visitors) == [f"user {ago}" for ago in range(LATEST_VISITORS_SHOWN)]
