"""A flood of bad input degrades health and says so once; what is rare or few does not."""

import pytest
from structlog.testing import capture_logs

from services.enrich.dead_letters.flood import LEAST_REFUSED, WINDOW_SECONDS, BadInput
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
        (100, 25, "healthy"),  # the share itself is not over it
        (100, 26, "degraded"),
        (LEAST_REFUSED, LEAST_REFUSED, "degraded"),
        (LEAST_REFUSED - 1, LEAST_REFUSED - 1, "healthy"),
        (1_000_000, 1000, "healthy"),
        (0, 0, "healthy"),
    ],
)
def test_flood_is_a_share_of_a_minute_and_not_just_a_few(
    health: Health, clock: Clock, read: int, refused: int, status: str
) -> None:
    bad_input = BadInput(0.25, health, clock)
    bad_input.add(read, [Reason.NOT_JSON] * refused)
    bad_input.report()
    assert health.report()["status"] == status


def test_flood_is_told_when_it_begins_and_when_its_minute_is_over(health: Health, clock: Clock) -> None:
    bad_input = BadInput(0.25, health, clock)
    with capture_logs() as logs:
        for _ in range(WINDOW_SECONDS):
            clock.now += 1
            bad_input.add(10, [Reason.NOT_JSON] * 3 + [Reason.FUTURE])
            bad_input.report()
    assert [(line["event"], line["log_level"]) for line in logs] == [("flood of bad input", "error")]
    assert health.report()["failures"] == {
        "input": "240 of the last minute's 600 events are dead letters: 180 not_json, 60 future"
    }
    with capture_logs() as logs:
        for _ in range(WINDOW_SECONDS - 2):  # nothing arrives any more; of the last two seconds there are but 8
            assert health.report()["status"] == "degraded"
            clock.now += 1
            bad_input.report()
    assert [line["event"] for line in logs] == ["flood of bad input is over"]
    assert health.report() == {"service": "enrich", "status": "healthy", "failures": {}}


def test_good_input_dilutes_a_flood(health: Health, clock: Clock) -> None:
    bad_input = BadInput(0.25, health, clock)
    bad_input.add(100, [Reason.NOT_JSON] * 50)
    bad_input.report()
    clock.now += 30
    bad_input.add(100, [])
    bad_input.report()
    assert health.report()["status"] == "healthy"
