"""The standing of a replica, and what it means for its service."""

from typing import Any

import pytest

from services.dashboard.operations.standings import Standing, judge, missing_services
from shared.status.replica_status import STARTING, Trouble
from tests.support.samples.status import BAD_INPUT, REDIS_AWAY
from tests.support.samples.watched import NOW_MS, pipeline, silent, watched

WAITS = Trouble("waiting", NOW_MS, fails=True)


@pytest.mark.parametrize(
    ("fields", "standing"),
    [
        ({}, Standing.HEALTHY),
        ({"troubles": {STARTING: WAITS, "log": REDIS_AWAY}}, Standing.STARTING),
        ({"troubles": {"input": BAD_INPUT}}, Standing.DEGRADED),
        ({"troubles": {"input": BAD_INPUT, "redis": REDIS_AWAY}}, Standing.FAILING),
        ({"state": "stopped", "reported_at_ms": NOW_MS - 90_000}, Standing.STOPPED),
        ({"state": "fenced"}, Standing.ENDED),
        ({"state": "failed", "troubles": {"redis": REDIS_AWAY}}, Standing.ENDED),
    ],
)
def test_the_report_decides_the_standing(fields: dict[str, Any], standing: Standing) -> None:
    (replica,) = judge([watched(**fields)], NOW_MS)
    assert replica.standing is standing


def test_a_replica_is_gone_after_six_seconds_of_silence() -> None:
    standings = [judge([silent("enrich", "a", seconds)], NOW_MS)[0].standing for seconds in (0, 5.9, 6.1, 3600)]
    assert standings == [Standing.HEALTHY, Standing.HEALTHY, Standing.GONE, Standing.GONE]


def test_replicas_follow_the_pipeline_the_running_ones_first() -> None:
    replicas = [
        watched("something-new", "x"),
        watched("dashboard", "d"),
        silent("enrich", "gone-long", 300),
        silent("enrich", "gone", 30),
        watched("enrich", "b"),
        watched("enrich", "a"),
        watched("aggregate", "c"),
        watched("generate", "g"),
    ]
    judged = judge(replicas, NOW_MS)
    names = [replica.watched.status.replica for replica in judged]
    assert names == ["g", "a", "b", "gone", "gone-long", "c", "d", "x"]


def test_a_gone_replica_with_a_successor_is_not_a_problem() -> None:
    successor = watched("enrich", "new", started_at_ms=NOW_MS - 20_000)
    for others, is_problem in (([successor], False), ([watched("enrich", "older")], True), ([], True)):
        judged = judge([silent("enrich", "gone", 30), *others], NOW_MS)
        (gone,) = (replica for replica in judged if replica.standing is Standing.GONE)
        assert gone.is_problem is is_problem


def test_a_stopped_replica_with_a_successor_is_left_out() -> None:
    stopped = silent("enrich", "old", 30, state="stopped")
    successor = watched("enrich", "new", started_at_ms=NOW_MS - 20_000)
    assert [replica.watched.status.replica for replica in judge([stopped, successor], NOW_MS)] == ["new"]
    (alone,) = judge([stopped], NOW_MS)
    assert (alone.standing, alone.is_problem) == (Standing.STOPPED, False)


def test_missing_services_are_those_without_a_running_replica() -> None:
    assert missing_services(judge(pipeline(), NOW_MS)) == []
    assert missing_services([]) == ["enrich", "aggregate"]
    replicas = pipeline(silent("detect", "d", 9), silent("generate", "g", 9, state="stopped"))
    assert missing_services(judge(replicas, NOW_MS)) == ["detect"]
