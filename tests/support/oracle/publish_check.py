"""Reads what aggregate published from Redis and compares it with the naive oracle."""

from dataclasses import asdict
from typing import Any

from shared.rollups.contract import Snapshot
from shared.rollups.model import AUDIENCES, Audience, Meta
from shared.rollups.reading import read
from tests.support.oracle.naive_rollups import NO_GOALS, Arrived, Goals, outcomes, rollups
from tests.support.oracle.segment_check import assert_segments_hold
from tests.support.polling import eventually


def caught_up(client: Any, count: int, prefix: str = "") -> Meta:
    """Wait until a rollup has read exactly `count` records and lags behind none."""

    def meta() -> Meta | None:
        snapshot = read(client, "all", prefix)
        return snapshot.meta if snapshot and snapshot.meta.read == count and snapshot.meta.lag == 0 else None

    return eventually(meta, "every record read")


def assert_published(
    client: Any, log: list[Arrived], goals: Goals = NO_GOALS, *, prefix: str = "", site: str | None = None
) -> Meta:
    """Assert that the published figures equal the oracle's, except for Meta's counters; return Meta.

    `site`: the only one that counts.
    """
    snapshots = _at_one_instant(client, prefix)
    expected = outcomes(log, site)
    meta = snapshots["all"].meta
    assert meta.balances
    figures = rollups(expected["counted"], meta.as_of_ms // 1000, goals)
    for audience in AUDIENCES:
        windows = asdict(snapshots[audience].windows)
        for name, figure in figures[audience].items():
            assert windows[name] == figure, f"{audience} {name}: published {windows[name]}, expected {figure}"
    latest = [(e["timestamp"], e["userId"], e["productId"]) for e in snapshots["all"].latest_events]
    assert latest == figures["latest_events"]
    assert_segments_hold(client, expected["counted"], prefix)
    return meta


def _at_one_instant(client: Any, prefix: str) -> dict[Audience, Snapshot]:
    def together() -> dict[Audience, Snapshot] | None:
        snapshots = {audience: read(client, audience, prefix) for audience in AUDIENCES}
        found = {
            audience: snapshot for audience, snapshot in snapshots.items() if snapshot and _is_whole(snapshot.meta)
        }
        instants = {snapshot.meta.as_of_ms for snapshot in found.values()}
        return found if len(found) == len(AUDIENCES) and len(instants) == 1 else None

    return eventually(together, "all audiences read between two publishes", 90)


def _is_whole(meta: Meta) -> bool:
    """Whether the numbers claim to cover all partitions, with nothing left to read."""
    return meta.lag == 0 and meta.coverage_1h_s == 3600
