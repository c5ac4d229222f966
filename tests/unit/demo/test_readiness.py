"""When the demo calls itself ready: once every key that the dashboard reads has data."""

from dataclasses import replace
from typing import Any

import pytest

from services.demo.readiness import Filling, keys_without_data
from shared.events.time_units import MINUTE_MS
from shared.rollups.model import Sessions
from shared.runtime.redis_client import connect
from tests.support.samples.rollup import NOON_MS, publish, sample_rollup
from tests.support.samples.segments import Row, write_segments


def test_only_keys_with_data_count_as_filled(redis_url: str) -> None:
    with connect(redis_url) as client:
        assert "p:rollup:all:products:1h" in keys_without_data(client, "p:")
        assert "p:rollup:meta" in keys_without_data(client, "p:")
        full = sample_rollup()
        publish(client, full, "p:")
        assert keys_without_data(client, "p:") == {"p:rollup:segments", "p:state_logs"}
        write_segments(client, [Row(minute=NOON_MS // MINUTE_MS)], prefix="p:")
        client.xadd("p:state_logs", {"created": NOON_MS / 1000, "msg": "moved"})
        assert keys_without_data(client, "p:") == frozenset()
        # The first clicks of a history are hours old: the rankings are empty, the series hold zeros.
        old: dict[str, Any] = {
            "products_1h": {},
            "views_1m": dict.fromkeys(full.audiences["bot"].views_1m, 0),
            "sessions": Sessions(),
            "goals_1h": {"Purchase": 0},
            "revenue_products_1h": {},  # bots never buy
            "campaigns_1h": {},
        }
        audiences: dict[Any, Any] = {**full.audiences, "bot": replace(full.audiences["bot"], **old)}
        publish(client, replace(full, audiences=audiences), "p:")
        assert keys_without_data(client, "p:") == {
            f"p:rollup:bot:{key}" for key in ("products:1h", "views:1m", "sessions")
        }


NOW_S = 1_795_348_800.0
LIVE = round(NOW_S) * 1000


@pytest.mark.parametrize(
    ("looks", "is_over"),
    [
        ([(0, LIVE, 0)], True),
        ([(9, LIVE, 0), (9, LIVE, 29)], False),
        ([(9, LIVE, 0), (9, LIVE, 31)], True),  # traffic that fills no more
        ([(9, LIVE, 0), (5, LIVE, 29), (5, LIVE, 50)], False),  # it still filled some
        ([(9, LIVE - 9_000_000, 0), (9, LIVE - 8_000_000, 29), (9, LIVE - 7_000_000, 58)], False),  # a long history
        ([(9, LIVE, 0), (9, LIVE + 29_000, 29), (9, LIVE + 58_000, 58)], True),  # live clicks are no progress
        ([(9, LIVE - 9_000_000, 0), *((9, LIVE - 9_000_000 + 1000 * at, at) for at in range(20, 302, 20))], False),
        ([(9, LIVE - 9_000_000, 0), *((9, LIVE - 9_000_000 + 1000 * at, at) for at in range(20, 322, 20))], True),
    ],
)
def test_the_demo_waits_while_keys_fill_or_a_history_arrives(
    looks: list[tuple[int, int, float]], is_over: bool
) -> None:
    filling = Filling(patience_seconds=30, longest_seconds=300)
    answers = [filling.is_over([str(key) for key in range(empty)], newest, NOW_S + at) for empty, newest, at in looks]
    assert answers[-1] is is_over
