"""How far to trust the numbers, judged from the rollup's metadata."""

from typing import Any

import pytest

from services.dashboard.kit.freshness import Freshness, Standing, judge
from shared.rollups.model import Meta

NOW_MS = 1_795_348_800_000


def judged(
    *,
    rollup_age_s: float = 1,
    event_age_s: float | None = 1,
    lag: int = 0,
    coverage_8h_s: int = 28_800,
    partitions: int = 4,
    before: int = 4,
) -> Freshness:
    meta = Meta(
        as_of_ms=NOW_MS - round(rollup_age_s * 1000),
        newest_event_ms=0 if event_age_s is None else NOW_MS - round(event_age_s * 1000),
        lag=lag,
        coverage_8h_s=coverage_8h_s,
        partitions=partitions,
    )
    return judge(meta, partitions_before=before, now_ms=NOW_MS)


def standing(**fields: Any) -> tuple[Standing, int]:
    fresh = judged(**fields)
    return fresh.standing, (NOW_MS - fresh.since_ms) // 1000


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


def test_a_pipeline_without_any_event_yet_waits() -> None:
    assert standing(event_age_s=None)[0] is Standing.WAITING


def test_a_missing_partition_is_neither_a_quiet_site_nor_a_backlog() -> None:
    fresh = judged(coverage_8h_s=0, partitions=3, lag=10, event_age_s=240)
    assert (fresh.standing, fresh.partitions_missing) == (Standing.PARTIAL, 1)
    assert judged(coverage_8h_s=0, partitions=1, before=4).partitions_missing == 3
    assert standing(coverage_8h_s=0, partitions=3, rollup_age_s=240) == (Standing.STALE, 240)


def test_a_dashboard_started_while_partitions_are_missing_does_not_know_how_many() -> None:
    fresh = judged(coverage_8h_s=0, partitions=3, before=0)
    assert (fresh.standing, fresh.partitions_missing) == (Standing.PARTIAL, 0)


def test_the_start_of_a_rebuild_misses_no_partition() -> None:
    assert standing(coverage_8h_s=0, lag=10, event_age_s=28_000)[0] is Standing.BEHIND
    assert standing(coverage_8h_s=0, lag=10, event_age_s=None, before=0)[0] is Standing.BEHIND


def test_a_topic_recreated_with_fewer_partitions_is_complete() -> None:
    fresh = judged(partitions=2)
    assert (fresh.standing, fresh.partitions_missing) == (Standing.LIVE, 0)


def test_no_age_is_negative_when_clocks_differ() -> None:
    fresh = judged(rollup_age_s=-0.8, event_age_s=-30)
    assert (fresh.standing, fresh.rollup_age_seconds, fresh.event_age_seconds) == (Standing.LIVE, 0.0, 0.0)


def test_a_quiet_site_in_a_busy_log_is_quiet_and_behind_only_while_the_log_is_not_read() -> None:
    def of_site(coverage_1h_s: int) -> Standing:
        meta = Meta(
            as_of_ms=NOW_MS,
            newest_event_ms=NOW_MS - 240_000,
            lag=10,  # of other sites, in flight
            coverage_1h_s=coverage_1h_s,
            coverage_8h_s=28_800,
            partitions=4,
            site="shop.example",
        )
        return judge(meta, partitions_before=4, now_ms=NOW_MS).standing

    assert of_site(3600) is Standing.QUIET
    assert of_site(3585) is Standing.QUIET
    assert of_site(3584) is Standing.BEHIND
