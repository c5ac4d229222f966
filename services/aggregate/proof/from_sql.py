"""Counts the events in SQL again, and compares the rollups in Redis of the same offsets with that."""

from contextlib import AbstractContextManager
from threading import Event
from typing import Final

import redis

from services.aggregate.proof.awaiting import Comparable, NotComparable
from services.aggregate.proof.equal_offsets import equal_offsets
from services.aggregate.proof.from_log import missing_in
from services.aggregate.proof.proof import Rules, Verdict
from services.aggregate.proof.settings import ProofSettings
from services.aggregate.proof.sql_proof import doubts, proved_from_sql
from services.aggregate.proof.stored import StoredClicks
from shared.events.stored import OpenStored, StoredFacts, StoredHistory
from shared.events.time_units import HOUR_MS
from shared.events.timestamps import iso_second
from shared.runtime.configuration import ConfigurationError
from shared.runtime.dependency import Stopped
from shared.runtime.signals import stop_on_signals
from shared.streams.event_log import EventLog

_REPEATED_MS: Final = 10 * HOUR_MS
"""An event within the windows repeats none that is older than they are by more: it would have been late."""


class SqlProof:
    """One proof. `as_of_ms` is the instant of the rollups once they are read."""

    def __init__(
        self,
        settings: ProofSettings,
        rules: Rules,
        client: redis.Redis,
        log: EventLog,
        wait_seconds: float,
        open_history: OpenStored,
    ) -> None:
        self._settings = settings
        self._rules = rules
        self._client = client
        self._log = log
        self._wait_seconds = wait_seconds
        self._open_history = open_history
        self.as_of_ms = 0

    def run(self) -> Verdict:
        """Prove. Raises NotComparable, HistoryUnavailable, LogUnavailable, Stopped and redis-py's exceptions."""
        stop = Event()
        with stop_on_signals(stop):
            with self._opened() as history:
                if history is None:
                    folder = self._settings.history_dir
                    raise ConfigurationError(f"HISTORY_URL: is not set, and HISTORY_DIR {folder} has no PostgreSQL")
                rollups, stored, facts = self._read(history, stop)
            verdict = proved_from_sql(rollups.published, stored, facts, self._rules)
            if verdict.differences:
                self._require_no_doubt(rollups, facts, len(verdict.differences), stop)
        return verdict

    def _opened(self) -> AbstractContextManager[StoredHistory | None]:
        return self._open_history(self._settings.history_url, self._settings.history_dir)

    def _read(self, history: StoredHistory, stop: Event) -> tuple[Comparable, StoredClicks, StoredFacts]:
        with equal_offsets(self._client, self._settings, history, self._wait_seconds, stop) as (rollups, snapshot):
            self.as_of_ms = rollups.meta.as_of_ms
            oldest_ms = rollups.oldest_ms
            facts = snapshot.facts(oldest_ms, oldest_ms - _REPEATED_MS)
            if facts.kept_from_ms > oldest_ms:
                raise NotComparable(
                    f"SQL keeps events from {iso_second(facts.kept_from_ms)} on, after {iso_second(oldest_ms)}, where "
                    "the windows begin; raise RETENTION_RAW_DAYS"
                )
            events = snapshot.events(oldest_ms, self.as_of_ms + 1000)
            return rollups, StoredClicks(events, site=self._settings.site), facts

    def _require_no_doubt(self, rollups: Comparable, facts: StoredFacts, differences: int, stop: Event) -> None:
        """Raise NotComparable if figures may differ that are right."""
        doubt = next(doubts(facts, rollups.erasures, rollups.oldest_ms), None) or self._gap_in_log(rollups, stop)
        if doubt is not None:
            raise NotComparable(f"{differences:,} figures differ, which proves nothing, because {doubt}")

    def _gap_in_log(self, rollups: Comparable, stop: Event) -> str | None:
        """Whether records left the log that history may never have seen."""
        past = self._log.past(self._settings.enriched_topic, rollups.oldest_ms, rollups.offsets)
        for _ in past.records():  # then it knows
            if stop.is_set():
                raise Stopped
        return missing_in(past, rollups)
