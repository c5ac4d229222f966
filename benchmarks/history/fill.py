"""Fills history's tables through its own code, beside the bare floor."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Final

from benchmarks.clicks import PARTITIONS
from benchmarks.history.floor import Floor
from benchmarks.history.server import server_process
from benchmarks.history.visits import visits
from benchmarks.processes import Figures
from benchmarks.usage import family_seconds
from services.history.rows import build_batch
from services.history.settings import HistorySettings
from services.history.sql.migrating import migrate
from services.history.sql.store import Place, Store
from shared.events.enriched import EnrichedDecoder
from shared.events.limits import Limits
from shared.privacy.erasures import NO_ERASURES
from shared.runtime.process import spare_garbage_collector
from shared.streams.event_log import Assignment, Record
from tests.support.servers.postgres import Postgres

BATCH_RECORDS: Final[int] = HistorySettings.model_fields["history_batch_records"].default
_FLOOR_EVENTS: Final = 1_000_000
_SEED: Final = 20
_REPORTS: Final = 20
_LAST_OFFSET: Final = 1 << 40


class _Filling:
    """Stores batches as the service does, and adds up its CPU time and the wall-clock time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._decode = EnrichedDecoder(Limits()).decode
        self._places = {
            number: store.claim(Assignment(number, 0, _LAST_OFFSET, "bench")) for number in range(PARTITIONS)
        }
        self.events = 0
        self.build_seconds = self.write_seconds = self.wall_seconds = 0.0

    def store(self, records: list[Record]) -> None:
        """Build and write a batch."""
        wall, began = time.perf_counter(), time.process_time()
        batch = build_batch(records, self._decode, NO_ERASURES.erases)
        built = time.process_time()
        outcomes = self._store.write(batch, self._places)
        self.write_seconds += time.process_time() - built
        self.wall_seconds += time.perf_counter() - wall
        self.build_seconds += built - began
        for number, next_offset in batch.next_offsets.items():
            self._places[number] = Place(self._places[number].topic_id, next_offset)
        self.events += sum(own.kept for own in outcomes.values())


def fill(postgres: Postgres, events: int, days: float, visitors: int, report: Callable[[str], None]) -> Figures:
    """Store about so many events of the last days. Returns the cost of an event, in microseconds."""
    until_ms = time.time_ns() // 1_000_000
    batches = visits(_SEED, visitors, until_ms - round(days * 86_400_000), until_ms, events, BATCH_RECORDS)
    url = postgres.url
    migrate(lambda: url)
    spare_garbage_collector()
    process_id = server_process(url)
    with closing(Store(lambda: url, "bench")) as store, closing(Floor(postgres.new_database("bare_floor"))) as floor:
        filling = _Filling(store)
        before = family_seconds(process_id)
        floor_server_seconds = 0.0
        for number, records in _reported(batches, events, filling, report):
            filling.store(records)
            if number % max(1, events // _FLOOR_EVENTS) == 0:
                # In turn, so that a machine that slows down slows both.
                own = family_seconds(process_id)
                floor.copy(records)
                floor_server_seconds += family_seconds(process_id) - own
        history_server_seconds = family_seconds(process_id) - before - floor_server_seconds
        floor.drop()
    return _figures(filling, floor, history_server_seconds, floor_server_seconds)


def _reported(
    batches: Iterator[list[Record]], events: int, filling: _Filling, report: Callable[[str], None]
) -> Iterator[tuple[int, list[Record]]]:
    """The numbered batches; reports how far filling is now and then."""
    due = step = events / _REPORTS
    for number, records in enumerate(batches):
        yield number, records
        if filling.events >= due:
            due += step
            us = 1e6 * (filling.build_seconds + filling.write_seconds) / filling.events
            report(f"{filling.events:,} events stored, {us:.1f} us of CPU each")


def _figures(filling: _Filling, floor: Floor, server: float, floor_server: float) -> Figures:
    own = (filling.build_seconds + filling.write_seconds) / filling.events
    bare = (floor.decode_seconds + floor.copy_seconds) / floor.events
    return {
        "events": filling.events,
        "history_events_s": round(filling.events / filling.wall_seconds),
        "history_build_us": round(1e6 * filling.build_seconds / filling.events, 2),
        "history_write_us": round(1e6 * filling.write_seconds / filling.events, 2),
        "history_postgres_us": round(1e6 * server / filling.events, 2),
        "history_floor_decode_us": round(1e6 * floor.decode_seconds / floor.events, 2),
        "history_floor_copy_us": round(1e6 * floor.copy_seconds / floor.events, 2),
        "history_floor_postgres_us": round(1e6 * floor_server / floor.events, 2),
        "history_ratio": round(own / bare, 2),
    }
