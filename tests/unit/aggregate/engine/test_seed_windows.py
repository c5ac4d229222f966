"""The seed's keys: views by minute of the last 15 minutes, and events by device type of the last ten."""

from shared.rollups.seed import SeedRollup
from tests.support.oracle.timeline import NOON, T, Timeline, click


def published(*seconds: int, instant: int = T) -> SeedRollup:
    timeline = Timeline(T)
    timeline.arrive(T, *(click(second) for second in seconds))
    return timeline.publish(instant).seed


def test_the_last_15_minutes_are_cut_to_the_second() -> None:
    #   12:05     T−900    T−899 = 12:05:18    12:06          12:20:17
    #  ───┼─────────○────────●──────────────────┼───── … ───────┤ T
    #              out       in, under the label 12:05
    assert published(T - 900).visits_15m == {}
    assert published(T - 899).visits_15m == {(NOON + 300) * 1000: 1}
    assert published(T + 1).visits_15m == {}
    assert published(T + 1, instant=T + 1).visits_15m == {(NOON + 1200) * 1000: 1}


def test_a_minute_begins_with_its_first_second() -> None:
    #   12:18        12:19        12:20
    #  ───┼──────────●┼●───────────┼──┤ T
    visits = published(NOON + 1139, NOON + 1140, NOON + 1140).visits_15m
    assert visits == {(NOON + 1080) * 1000: 1, (NOON + 1140) * 1000: 2}


def test_a_device_counts_each_event_of_ten_minutes() -> None:
    #     T−600   T−599                  T     T+1
    #  ──────○──────●●───────────────────●──────○──▶
    #       out    in                   in    waits
    assert published(T - 600, T - 599, T - 599, T, T + 1).device_events_10m["Desktop"] == 3
    assert published(T - 600).device_events_10m["Desktop"] == 0
