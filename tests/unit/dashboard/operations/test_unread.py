"""Partitions without a reader are the verdict, even though no replica has a problem."""

from typing import Any

import pytest

from services.dashboard.operations.snapshot import snapshot_of
from services.dashboard.operations.unread import unread_partitions
from services.dashboard.sources.watch import Watched
from tests.support.samples.watched import NOW_MS, pipeline, reported, silent, watched
from tests.unit.dashboard.operations.test_board import drawn, standing_of

HALF: dict[str, Any] = {"lag": {0: 0, 1: None}}
ALL: dict[str, Any] = {"lag": {0: 0, 1: 0, 2: 5, 3: 0}}
OLD: dict[str, Any] = {"started_at_ms": NOW_MS - 900_000}


@pytest.mark.parametrize(
    ("replicas", "found"),
    [
        ([watched("aggregate", **ALL), watched("detect", **ALL)], {}),
        ([watched("aggregate", **HALF), watched("detect", **ALL)], {"aggregate": {2, 3}}),
        ([watched("enrich", **ALL), watched("aggregate", **HALF), watched("detect", **HALF)], {}),  # another topic
        ([watched("aggregate", "a", **HALF), watched("aggregate", "b", lag={2: 1, 3: 0})], {}),
        # A named replica that stopped keeps its partitions until its session ends.
        ([watched("enrich", "a", **HALF), watched("enrich", "b", state="stopped", lag={2: 0})], {"enrich": {2}}),
        # One that another replica has replaced left the topic to it.
        ([watched("enrich", "a", started_at_ms=NOW_MS, **HALF), silent("enrich", "b", 60, **OLD, lag={7: 0})], {}),
        ([silent("enrich", "a", 60, **ALL)], {}),  # not running: another verdict
    ],
)
def test_a_partition_is_unread_when_no_running_replica_of_the_service_holds_it(
    replicas: list[Watched], found: dict[str, set[int]]
) -> None:
    assert unread_partitions(snapshot_of(reported(replicas), NOW_MS).replicas) == found


def test_the_verdict_names_them() -> None:
    shown = drawn(watched("aggregate", "aggregate-1", **HALF, last_complaint=None), watched("detect", "d", **ALL))
    standing, verdict = standing_of(shown)
    assert standing == "failing"
    assert verdict.startswith("Unread: No replica of aggregate reads partitions 2–3")
    assert pipeline()  # and a healthy pipeline has none: see test_board
