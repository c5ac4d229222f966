"""A flood of dead letters degrades health and is logged once; a few or a small share are not a flood."""

import pytest
from structlog.testing import capture_logs

from services.enrich.dead_letters.flood import LEAST_REFUSED, WINDOW_SECONDS, FloodAlarm
from shared.events.refusals import Reason
from shared.status.health import Health


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def health() -> Health:
    return Health("enrich")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.mark.parametrize(
    ("read", "refused", "status"),
    [
        (100, 25, "healthy"),  # exactly the share is not a flood
        (100, 26, "degraded"),
        (LEAST_REFUSED, LEAST_REFUSED, "degraded"),
        (LEAST_REFUSED - 1, LEAST_REFUSED - 1, "healthy"),
        (1_000_000, 1000, "healthy"),
        (0, 0, "healthy"),
    ],
)
def test_flood_needs_a_share_of_the_minute_and_a_minimum_count(
    health: Health, clock: Clock, read: int, refused: int, status: str
) -> None:
    flood_alarm = FloodAlarm(0.25, health, clock)
    flood_alarm.add(read, [Reason.NOT_JSON] * refused)
    flood_alarm.report()
    assert health.report()["status"] == status


def test_flood_is_logged_when_it_starts_and_when_it_ends(health: Health, clock: Clock) -> None:
    flood_alarm = FloodAlarm(0.25, health, clock)
    with capture_logs() as logs:
        for _ in range(WINDOW_SECONDS):
            clock.now += 1
            flood_alarm.add(10, [Reason.NOT_JSON] * 3 + [Reason.FUTURE])
            flood_alarm.report()
    assert [(line["event"], line["log_level"]) for line in logs] == [("flood of dead letters", "error")]
    assert health.report()["failures"] == {
        "input": "240 of the last minute's 600 events are dead letters: 180 not_json, 60 future"
    }
    with capture_logs() as logs:
        for _ in range(WINDOW_SECONDS - 2):  # nothing arrives; the last two seconds hold only 8
            assert health.report()["status"] == "degraded"
            clock.now += 1
            flood_alarm.report()
    assert [line["event"] for line in logs] == ["flood of dead letters is over"]
    assert health.report() == {"service": "enrich", "status": "healthy", "failures": {}}


def test_good_input_ends_a_flood(health: Health, clock: Clock) -> None:
    flood_alarm = FloodAlarm(0.25, health, clock)
    flood_alarm.add(100, [Reason.NOT_JSON] * 50)
    flood_alarm.report()
    clock.now += 30
    flood_alarm.add(100, [])
    flood_alarm.report()
    assert health.report()["status"] == "healthy"
