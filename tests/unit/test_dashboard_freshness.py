"""What the numbers are worth, told from the rollup's account of itself."""

import pytest

from services.dashboard.freshness import Standing, judge

NOW_MS = 1_795_348_800_000


def standing(*, rollup_age_s: float = 1, event_age_s: float | None = 1, lag: int = 0) -> tuple[Standing, int]:
    judged = judge(
        as_of_ms=NOW_MS - round(rollup_age_s * 1000),
        newest_event_ms=0 if event_age_s is None else NOW_MS - round(event_age_s * 1000),
        lag=lag,
        now_ms=NOW_MS,
    )
    return judged.standing, (NOW_MS - judged.since_ms) // 1000


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0, Standing.LIVE), (5, Standing.LIVE), (5.1, Standing.STALE), (9000, Standing.STALE)]
)
def test_numbers_are_stale_once_the_rollup_is_older_than_five_seconds(seconds: float, expected: Standing) -> None:
    assert standing(rollup_age_s=seconds) == (expected, int(seconds))


def test_a_quiet_site_is_not_a_broken_pipe() -> None:
    assert standing(event_age_s=60)[0] is Standing.LIVE
    assert standing(event_age_s=240) == (Standing.QUIET, 240)
    assert standing(event_age_s=240, rollup_age_s=240)[0] is Standing.STALE


def test_old_events_with_more_waiting_are_a_backlog_not_silence() -> None:
    assert standing(event_age_s=240, lag=10)[0] is Standing.BEHIND
    assert standing(event_age_s=None, lag=10)[0] is Standing.BEHIND
    assert standing(event_age_s=2, lag=10)[0] is Standing.LIVE  # in flight, as on any busy site


def test_a_pipeline_that_never_saw_an_event_waits() -> None:
    assert standing(event_age_s=None)[0] is Standing.WAITING


def test_nothing_is_younger_than_now_though_clocks_differ() -> None:
    judged = judge(as_of_ms=NOW_MS + 800, newest_event_ms=NOW_MS + 30_000, lag=0, now_ms=NOW_MS)
    assert (judged.standing, judged.rollup_age_seconds, judged.event_age_seconds) == (Standing.LIVE, 0.0, 0.0)
