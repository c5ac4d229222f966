"""Counts the event log again, and compares every rollup in Redis and the minute segments with that."""

import time
from collections.abc import Mapping
from dataclasses import replace
from threading import Event

import redis

from services.aggregate.proof.awaiting import Comparable, NotComparable, wait_for_rollups
from services.aggregate.proof.counted import CountedClicks
from services.aggregate.proof.proof import Rules, Verdict, proved, skipped_columns
from services.aggregate.proof.published import read_segments
from services.aggregate.proof.segments import Expected, Segment, compared, still_there
from services.aggregate.settings import AggregateSettings
from shared.events.time_units import HOUR_MS, MINUTE_MS
from shared.events.timestamps import iso_second
from shared.runtime.dependency import Stopped
from shared.runtime.signals import stop_on_signals
from shared.streams.event_log import EventLog, Past


class LogProof:
    """One proof. `as_of_ms` is the instant of the rollups once they are read."""

    def __init__(
        self, settings: AggregateSettings, rules: Rules, client: redis.Redis, log: EventLog, wait_seconds: float
    ) -> None:
        self._settings = settings
        self._rules = rules
        self._client = client
        self._log = log
        self._wait_seconds = wait_seconds
        self.as_of_ms = 0

    def run(self) -> Verdict:
        """Prove. Raises NotComparable, LogUnavailable, Stopped and redis-py's exceptions."""
        stop = Event()
        with stop_on_signals(stop):  # not while it compares, which looks at no event for seconds
            rollups = wait_for_rollups(self._client, self._settings, self._wait_seconds, stop)
            segments = read_segments(self._client, self._settings.redis_prefix)
            self.as_of_ms = rollups.meta.as_of_ms
            counted, past = self._counted(rollups, stop)
        verdict = self._with_segments(proved(rollups.published, counted, self._rules), rollups, segments, counted)
        if verdict.differences and (missing := missing_in(past, rollups)):
            raise NotComparable(missing)
        return verdict

    def _counted(self, rollups: Comparable, stop: Event) -> tuple[CountedClicks, Past]:
        """Count the log up to the offsets of the rollups."""
        topic = self._settings.enriched_topic
        # An hour more than the windows: events that arrived then have repeats in them.
        past = self._log.past(topic, rollups.oldest_ms - HOUR_MS - MINUTE_MS, rollups.offsets)
        for partition, end in past.end_offsets.items():
            if end < rollups.offsets[partition]:
                raise NotComparable(
                    f"partition {partition} of {topic} ends at offset {end}, and aggregate has counted "
                    f"up to {rollups.offsets[partition]}: the topic is another one, or lost its records"
                )
        counted = CountedClicks(
            rollups.meta.as_of_ms // 1000,
            limits=self._settings.limits,
            erasures=rollups.erasures,
            site=self._settings.site,
            most_sales=self._settings.max_sales,
        )
        for records in past.records():
            counted.add(records)
            if stop.is_set():
                raise Stopped
        return counted, past

    def _with_segments(
        self, verdict: Verdict, rollups: Comparable, segments: Mapping[str, Segment], counted: CountedClicks
    ) -> Verdict:
        """The same with the minute segments. One that differs may be due to be rewritten, so it gets a while."""
        expected = Expected(
            now_s=rollups.meta.as_of_ms // 1000,
            kept_seconds=self._settings.segment_seconds,
            oldest_s=counted.oldest_s,
            # A state that honours the latest erasure was built after it, with all its segments.
            rebuilt_after_s=max(0, rollups.erasures.latest_ms // 1000),
            skipped=skipped_columns(verdict),
        )
        keys, found = compared(segments, counted.clicks, expected)
        if found:
            time.sleep(self._wait_seconds)
            found = still_there(found, segments, read_segments(self._client, self._settings.redis_prefix))
        return replace(
            verdict,
            keys=verdict.keys + len(keys),
            figures=verdict.figures + len(keys),
            differences=[*verdict.differences, *found],
        )


def missing_in(past: Past, rollups: Comparable) -> str | None:
    """What is said if the log, which has been read, no longer has all events of the windows."""
    if past.missing_until_ms <= rollups.oldest_ms:
        return None
    return (
        f"the log begins at {iso_second(past.missing_until_ms)}, after {iso_second(rollups.oldest_ms)}, where "
        "the windows begin; keep records for at least 9 hours (RETENTION_HOURS, REDIS_LOG_RECORDS, "
        "REDIS_LOG_MEGABYTES)"
    )
