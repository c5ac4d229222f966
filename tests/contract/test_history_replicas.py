"""Two stores on one real PostgreSQL: each counts a visitor once, whatever the other, restarts and erasures do."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.history.rows import build_batch
from services.history.sql.visitors import SqlVisitors
from shared.events.enriched import decode_enriched
from shared.events.schema import EnrichedEvent
from shared.events.time_units import DAY_MS, MINUTE_MS
from shared.privacy.erasures import Erasures, token_of
from shared.privacy.visitor_history import VisitorErasure
from tests.contract.test_history_store import (
    BUCKETS,
    EVENTS,
    NOW_MS,
    RAW_DAYS,
    TODAY,
    TOPIC,
    TRUNCATE,
    Interrupted,
    Interruptible,
    brute_force,
    claim,
    event,
    records,
    rollup,
    shown,
)
from tests.contract.test_history_store import store as store
from tests.support.oracle.recomputed_history import wrong_rows

pytestmark = pytest.mark.timeout(300)

EMPTY = f"{TRUNCATE}, history_erasures; UPDATE history_raw SET erasures = erasures + 1"


@pytest.fixture
def stores(history_url: str, store: Interruptible) -> Iterator[list[Interruptible]]:
    other = Interruptible(lambda: history_url, TOPIC)
    yield [store, other]
    other.close()


@dataclass
class Oracle:
    """What is stored, and what was counted: an erasure deletes the one and not the other."""

    stored: list[EnrichedEvent] = field(default_factory=list)
    counted: dict[str, Counter[tuple[Any, ...]]] = field(default_factory=lambda: {span: Counter() for span in BUCKETS})
    erasures: int = 0

    def add(self, events: Sequence[EnrichedEvent], erasures: Erasures) -> None:
        before = self._figures()
        for own in events:
            if not self._has(own) and not erasures.erases(own.userId, own.timestamp, NOW_MS):
                self.stored.append(shown(own))
        for span, figures in self._figures().items():
            self.counted[span].update(figures - before[span])

    def erase(self, user: str, until_ms: int) -> None:
        self.stored = [own for own in self.stored if own.userId != user or own.timestamp > until_ms + MINUTE_MS]
        self.erasures += 1

    def _has(self, own: EnrichedEvent) -> bool:
        if own.datetime.date() < TODAY - timedelta(days=RAW_DAYS):
            return True
        key = (shown(own).userId, own.datetime.date(), own.eventId)
        return bool(own.eventId) and any(
            key == (other.userId, other.datetime.date(), other.eventId) for other in self.stored
        )

    def _figures(self) -> dict[str, Counter[tuple[Any, ...]]]:
        return {
            table: Counter(
                {
                    (*key, figure): number
                    for key, own in brute_force(self.stored, span).items()
                    for figure, number in zip(("views", "visitors"), own, strict=True)
                }
            )
            for table, span in BUCKETS.items()
        }


# Within an hour or so, so that most are not the first of their visitor anywhere.
NEAR = st.builds(
    event,
    st.sampled_from(["ada", "bea"]),
    ago_ms=st.integers(0, 5_000_000),
    category=st.sampled_from([None, "shoes", "coats"]),
    url=st.sampled_from(["https://shop.example/a", "https://shop.example/b"]),
)
WRITES = st.tuples(
    st.sampled_from(["stored", "stored", "stored", "aborted", "restarted"]),
    st.sampled_from([0, 0, 1]),
    st.lists(st.one_of(EVENTS, NEAR, NEAR), min_size=1, max_size=5),
)
ERASURES = st.tuples(st.just("erased"), st.just(0), st.sampled_from([NOW_MS - 2 * DAY_MS, NOW_MS - 2_000_000, NOW_MS]))


@given(steps=st.lists(st.one_of(WRITES, WRITES, WRITES, ERASURES), max_size=10))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rollups_equal_brute_force_whoever_writes_restarts_or_erases(
    history_url: str, stores: list[Interruptible], steps: list[tuple[str, int, Any]]
) -> None:
    with psycopg.connect(history_url, autocommit=True) as connection:
        connection.execute(EMPTY)
    visitors, oracle = SqlVisitors(lambda: history_url, "postgres"), Oracle()
    for what, number, of in steps:
        if what == "erased":
            visitors.erase(VisitorErasure(["ada"], of, [token_of("ada")]))
            oracle.erase("ada", of)
            continue
        store = stores[number]
        place = claim(store)
        batch = build_batch(records(of, first_offset=place.next_offset), decode_enriched, store.erasures.erases)
        if what == "aborted":
            store.is_failing = True
            with suppress(Interrupted):
                store.write(batch, {0: place})
            store.is_failing = False
        store.write(batch, {0: place})
        if what == "restarted":
            store.close()
        oracle.add(of, store.erasures)
    for table, expected in oracle.counted.items():
        assert rollup(history_url, table) == {
            key[:-1]: (views, expected[*key[:-1], "visitors"]) for key, views in expected.items() if key[-1] == "views"
        }
    if not oracle.erasures:
        assert wrong_rows(history_url) == []
