"""History's sessions on a real PostgreSQL: gaps to the second, and late events that join two sessions.

That they equal plain SQL in any order and batches is in `test_history_store`.
"""

from typing import Any

import msgspec
import pytest

from services.history.sql.store import Store
from shared.events.schema import EnrichedEvent
from shared.events.time_units import DAY_MS
from tests.contract.test_history_store import TODAY, batch, claim, event, query, records, retire
from tests.contract.test_history_store import store as store

pytestmark = pytest.mark.timeout(300)

GAP_MS = 1_800_000
NOON_MS = 12 * 3_600_000  # between midnight and the time that events are counted back from


def send(store: Store, *events: EnrichedEvent) -> None:
    place = claim(store)
    store.write(batch(records(events, first_offset=place.next_offset)), {0: place})


def by_hour(url: str) -> list[tuple[Any, ...]]:
    """Start, sessions, bounces, views and duration of each hour with sessions."""
    return query(
        url,
        "SELECT extract(hour FROM bucket)::int, sessions, bounces, views, duration_s FROM sessions_1h "
        "ORDER BY bucket, site_id, is_bot",
    )


@pytest.mark.parametrize(
    ("gap_ms", "expected"),
    [
        (GAP_MS - 1000, [(11, 1, 0, 2, 1799)]),
        (GAP_MS - 1, [(11, 2, 2, 2, 0)]),  # in whole seconds, it is half an hour
        (GAP_MS, [(11, 2, 2, 2, 0)]),
    ],
)
def test_a_gap_of_half_an_hour_starts_a_session(
    history_url: str, store: Store, gap_ms: int, expected: list[tuple[int, ...]]
) -> None:
    first, last = event(ago_ms=500 + gap_ms), event(ago_ms=500)
    send(store, first)
    send(store, last)
    assert by_hour(history_url) == expected
    send(store, *(msgspec.structs.replace(own, userId="bea") for own in (first, last)))  # in one batch
    assert by_hour(history_url) == [(hour, *(2 * figure for figure in figures)) for hour, *figures in expected]


def test_a_late_event_joins_two_sessions_and_one_before_them_moves_the_start(history_url: str, store: Store) -> None:
    send(store, event(ago_ms=1000), event(ago_ms=1000), event(ago_ms=2_401_000))
    assert by_hour(history_url) == [(11, 2, 1, 3, 0)]
    send(store, event(ago_ms=1_201_000))
    assert by_hour(history_url) == [(11, 1, 0, 4, 2400)]
    send(store, event(ago_ms=3_601_000))
    assert by_hour(history_url) == [(10, 1, 0, 5, 3600)]
    assert query(history_url, "SELECT count(*) FROM sessions") == [(1,)]


def test_two_late_events_of_one_session_join_it_once(history_url: str, store: Store) -> None:
    send(store, event(ago_ms=3_001_000), event(ago_ms=1_501_000), event(ago_ms=1000))
    send(store, event(ago_ms=2_901_000), event(ago_ms=101_000))  # too far apart for a session of their own
    assert by_hour(history_url) == [(11, 1, 0, 5, 3000)]
    assert query(history_url, "SELECT views FROM sessions") == [(5,)]


def test_sites_and_bots_have_sessions_of_their_own(history_url: str, store: Store) -> None:
    send(store, event(), event(site="shop.example"), event(deviceType="Bot"), event("bea"))
    assert query(
        history_url,
        "SELECT name, is_bot, sessions, bounces FROM sessions_1d JOIN names ON names.id = site_id ORDER BY 1, 2",
    ) == [("", False, 2, 2), ("", True, 1, 1), ("shop.example", False, 1, 1)]


def test_a_session_continues_after_its_day_was_dropped(history_url: str, store: Store) -> None:
    send(store, event(ago_ms=NOON_MS + 60_000), event("bea", ago_ms=NOON_MS + GAP_MS), event("cyd", ago_ms=DAY_MS))
    assert len(retire(store, raw_days=0)) == 1
    assert query(history_url, "SELECT name FROM sessions JOIN visitors ON id = visitor_id") == [("ada",)]
    send(store, event(ago_ms=NOON_MS - 60_000), event("bea", ago_ms=NOON_MS))
    figures = "sum(sessions), sum(bounces), sum(views), sum(duration_s)"
    assert query(history_url, f"SELECT {figures} FROM sessions_1d") == [(4, 3, 5, 120)]
    store.retire(TODAY, raw_days=0, minute_days=0)
    assert query(history_url, "SELECT sum(sessions) FROM sessions_1m") == [(1,)]
