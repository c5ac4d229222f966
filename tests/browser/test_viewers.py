"""The cost of many open pages: one Redis query a second for all of them."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from benchmarks.viewers import measure
from tests.browser.conftest import Dashboard
from tests.browser.test_live_page import publish_now

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
VIEWERS, SECONDS = 8, 12


def test_all_viewers_of_a_process_share_one_round_trip_a_second(dashboard: Dashboard, valkey: Any) -> None:
    publish_now(valkey)
    port = valkey.connection_pool.connection_kwargs["port"]
    watching = measure(
        dashboard.process.pid, int(dashboard.url.rpartition(":")[2]), f"redis://127.0.0.1:{port}/0", VIEWERS, SECONDS
    )
    with ThreadPoolExecutor() as elsewhere:  # this thread runs the browser's event loop
        seen = elsewhere.submit(asyncio.run, watching).result()
    assert seen["errors"] == 0
    assert seen["refreshes"] >= VIEWERS * 2, seen  # even on a busy machine every page was refreshed
    assert 0 < seen["redis_round_trips_s"] <= 1 / 0.9 + 1 / SECONDS, seen  # a snapshot lives 0.9 s
