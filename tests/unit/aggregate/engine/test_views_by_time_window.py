"""Views by minute and by half hour: buckets start at whole minutes and at :00 and :30 UTC; the running one is shown."""

import pytest

from tests.support.oracle.timeline import NOON, T, click, published

MINUTE, HALF_HOUR = 60, 1800


def test_the_running_minute_is_the_last_of_sixty() -> None:
    #   11:21     11:22             12:19     12:20 12:20:17
    #  ───┼─────────┼───── … ─────────┼─────────┼─────┤ T
    #      not shown  │←────────── 60 minutes ────────→│
    minutes = published(click(T)).views_1m
    assert len(minutes) == 60
    assert next(iter(minutes)) == (NOON - 39 * MINUTE) * 1000  # 11:21
    assert list(minutes.items())[-1] == ((NOON + 20 * MINUTE) * 1000, 1)


@pytest.mark.parametrize(
    ("second", "minute"), [(NOON + 59, NOON), (NOON + 60, NOON + 60), (NOON + 119, NOON + 60), (NOON + 120, NOON + 120)]
)
def test_a_minute_begins_with_its_first_second(second: int, minute: int) -> None:
    #   12:00        12:01        12:02
    #  ───┼──────────●┼●──────────●┼●──▶
    assert {start for start, views in published(click(second)).views_1m.items() if views} == {minute * 1000}


def test_the_first_of_the_sixty_minutes_is_shown_whole() -> None:
    #   11:20:59  11:21:00                       12:20:17
    #  ────○─────────●───────────── … ─────────────┤ T     older than the trailing hour and shown all the same:
    #     out       in                                     11:21:00 is 3,557 s old, 11:20:59 is 3,558 s old
    assert sum(published(click(NOON - 39 * MINUTE - 1)).views_1m.values()) == 0
    assert sum(published(click(NOON - 39 * MINUTE)).views_1m.values()) == 1


def test_the_running_half_hour_is_the_last_of_seventeen() -> None:
    #   04:00     04:30             11:30     12:00 12:20:17
    #  ───┼─────────┼───── … ─────────┼─────────┼─────┤ T
    #     │←──────────── 17 half hours ──────────────→│
    half_hours = published(click(T)).views_30m
    assert len(half_hours) == 17
    assert next(iter(half_hours)) == (NOON - 16 * HALF_HOUR) * 1000
    assert list(half_hours.items())[-1] == (NOON * 1000, 1)


@pytest.mark.parametrize("edge", [NOON - HALF_HOUR, NOON])
def test_a_half_hour_begins_with_its_first_second(edge: int) -> None:
    #   11:00        11:30        12:00
    #  ───┼──────────●┼●──────────●┼●──▶
    before, after = published(click(edge - 1)).views_30m, published(click(edge)).views_30m
    assert {start for start, views in before.items() if views} == {(edge - HALF_HOUR) * 1000}
    assert {start for start, views in after.items() if views} == {edge * 1000}


def test_the_oldest_half_hour_is_shown_whole() -> None:
    #   03:59:59  04:00:00                 12:00    12:20:17
    #  ────○─────────●──────── … ────────────┼─────────┤ T
    #   late        in
    assert sum(published(click(NOON - 16 * HALF_HOUR - 1)).views_30m.values()) == 0
    assert sum(published(click(NOON - 16 * HALF_HOUR)).views_30m.values()) == 1


def test_a_new_half_hour_drops_the_oldest_one() -> None:
    #   04:00     04:30                12:00       12:30
    #  ───●─────────┼───── … ────────────┼───────────┼──▶
    #     │←───── shown until 12:29:59 ────────────→│
    oldest = click(NOON - 16 * HALF_HOUR)
    assert sum(published(oldest, instant=NOON + HALF_HOUR - 1).views_30m.values()) == 1
    assert sum(published(oldest, instant=NOON + HALF_HOUR).views_30m.values()) == 0
