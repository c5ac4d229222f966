"""Goals: conversions count events, converting visitors count once in each window."""

import numpy as np
import pytest

from services.aggregate.columns.goals import Goal, Goals
from services.aggregate.state.codec import schema_of
from tests.support.oracle.timeline import NOON, T, Timeline, click, published

GOALS = Goals((Goal(name="Purchase", event_type="purchase"), Goal(name="Checkout", page="/checkout/*")))
RATES = ("5m", "15m", "30m", "1h", "8h")


def test_without_goals_there_are_no_figures() -> None:
    rollup = published(click(T))
    assert (rollup.goals, rollup.goals_1h, rollup.goals_1m) == ({}, {}, {})


def test_goals_that_nobody_reached_are_zero() -> None:
    rollup = published(click(T, url="/checkout"), goals=GOALS)
    assert rollup.goals_1h == {"Checkout": 0, "Purchase": 0}
    assert rollup.goals["Purchase"].rate == dict.fromkeys(RATES, 0)
    assert list(rollup.goals_1m.values()) == [{}] * 60


def test_a_visitor_converts_once_in_a_window_and_each_event_is_a_conversion() -> None:
    events = [click(T - ago, url="https://shop.example/checkout/pay?x=1") for ago in (9, 5, 0)]
    rollup = published(*events, click(T, "bea"), click(T, "cyd"), click(T - 400, "dee"), goals=GOALS)
    checkout = rollup.goals["Checkout"]
    assert checkout.conversions["5m"] == 3
    assert checkout.visitors["5m"] == 1
    assert (checkout.rate["5m"], checkout.rate["15m"]) == (0.3333, 0.25)


def test_an_event_may_reach_several_goals() -> None:
    rollup = published(click(T, eventType="purchase", url="/checkout/thanks"), goals=GOALS)
    assert rollup.goals_1h == {"Checkout": 1, "Purchase": 1}
    assert rollup.goals_1m[(T - T % 60) * 1000] == {"Checkout": 1, "Purchase": 1}


@pytest.mark.parametrize("seconds", [300, 900, 1800, 3600, 28_800])
def test_a_conversion_leaves_each_window_to_the_second(seconds: int) -> None:
    window = dict(zip((300, 900, 1800, 3600, 28_800), RATES, strict=True))[seconds]
    timeline = Timeline(T, GOALS)
    timeline.arrive(T, click(T, eventType="purchase"))
    for later, expected in ((seconds - 1, 1), (seconds, 0)):
        purchase = timeline.everyone(T + later).goals["Purchase"]
        assert (purchase.conversions[window], purchase.visitors[window]) == (expected, expected)


def test_a_late_conversion_lands_in_its_minute() -> None:
    rollup = published(click(NOON, eventType="purchase"), goals=GOALS)
    assert rollup.goals_1m[NOON * 1000] == {"Purchase": 1}


def test_only_visitors_who_convert_have_state() -> None:
    timeline = Timeline(T, GOALS)
    timeline.arrive(T, *(click(T, f"user {number}") for number in range(5000)), click(T, "ada", eventType="purchase"))
    conversions = timeline.partition._windows.conversions  # noqa: SLF001 - what it keeps is the point
    assert conversions._slots.capacity == 1  # noqa: SLF001


def test_a_visitor_who_is_forgotten_gives_its_slot_to_another() -> None:
    timeline = Timeline(T, GOALS)
    for day in range(3):
        at = T + day * 36_000
        timeline.arrive(at, *(click(at, f"{day} {number}", eventType="purchase") for number in range(100)))
        timeline.partition.checkpoint()
        assert timeline.everyone(at).goals["Purchase"].visitors["8h"] == 100
    conversions = timeline.partition._windows.conversions  # noqa: SLF001
    assert conversions._slots.capacity <= 200  # noqa: SLF001
    assert np.count_nonzero(conversions._slot >= 0) <= 200  # noqa: SLF001


def test_state_of_other_goals_has_another_schema() -> None:
    one, other = GOALS.goals
    schemas = [schema_of(Goals(goals)) for goals in ((), (one,), (other,), (one, other))]
    assert len({*schemas}) == 4
    assert schema_of(Goals((other, one))) == schema_of(Goals((one, other)))
