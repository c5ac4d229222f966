"""`clickpulse prove`: counts the event log again, and compares every rollup in Redis with that."""

import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from threading import Event
from typing import Final

import redis

from services.aggregate.columns.goals import Goals
from services.aggregate.goals_file import read_goals
from services.aggregate.proof.awaiting import Comparable, NotComparable, wait_for_rollups
from services.aggregate.proof.counted import CountedClicks
from services.aggregate.proof.goals_hint import goals_hint
from services.aggregate.proof.naming import reached
from services.aggregate.proof.options import DIFFERENT, EQUAL, NOT_COMPARED, Options, parse
from services.aggregate.proof.proof import Rules, Verdict, proved, skipped_columns
from services.aggregate.proof.published import OFFSETS, read_segments
from services.aggregate.proof.segments import Expected, compared, still_there
from services.aggregate.settings import AggregateSettings
from shared.events.time_units import HALF_HOUR_SECONDS, HOUR_SECONDS, MINUTE_SECONDS
from shared.events.timestamps import iso_second
from shared.rollups.model import HALF_HOURS_SHOWN
from shared.rollups.proof import PROOF_ROW, Proof
from shared.rollups.writing import write_row
from shared.runtime.dependency import Stopped
from shared.runtime.logs import configure_logs, get_logger
from shared.runtime.redis_client import connect
from shared.runtime.settings import ConfigurationError, read_settings
from shared.runtime.signals import stop_on_signals
from shared.runtime.tracebacks import error_text
from shared.streams.choose import open_log
from shared.streams.event_log import EventLog, LogUnavailable, Past

SERVICE: Final = "prove"
_NICE: Final = 10
"""The services come first."""
_EXIT_CODES: Final = {"equal": EQUAL, "different": DIFFERENT, "not_compared": NOT_COMPARED}

logger = get_logger(__name__)


def main(argv: Sequence[str]) -> int:
    """Prove once. Returns the exit code, see `options`. Raises ConfigurationError."""
    options = parse(argv)
    settings = read_settings(AggregateSettings)
    goals = read_goals(settings.goals_file)
    configure_logs(SERVICE, settings.log_format, settings.log_level)
    with suppress(AttributeError, OSError):  # not on Windows
        os.nice(_NICE)
    with closing(open_log(settings, SERVICE)) as log, connect(settings.redis_url) as client:
        try:
            proof = _proof(settings, goals, options, client, log)
        except (Stopped, KeyboardInterrupt):
            _say("stopped before the end")
            return NOT_COMPARED
        _keep(client, settings.redis_prefix, proof)
        return _EXIT_CODES[proof.result]


def _proof(settings: AggregateSettings, goals: Goals, options: Options, client: redis.Redis, log: EventLog) -> Proof:
    started = time.monotonic()
    as_of_ms = 0
    stop = Event()
    try:
        with stop_on_signals(stop):  # not while it compares, which looks at no event for seconds
            rollups = wait_for_rollups(client, settings, options.wait_seconds, stop)
            as_of_ms = rollups.meta.as_of_ms
            counted, past = _counted(settings, rollups, log, stop)
        verdict = proved(rollups.published, counted, _rules(settings, goals))
        verdict = _with_segments(verdict, settings, rollups, counted, client, options.wait_seconds)
        if verdict.differences:
            _require_whole(past, as_of_ms)
    except ConfigurationError:
        raise  # about the server
    except (NotComparable, LogUnavailable, redis.RedisError) as error:
        reason = str(error) if isinstance(error, NotComparable) else error_text(error)
        _say(f"nothing was compared: {reason}")
        return Proof(result="not_compared", at_ms=_now_ms(), as_of_ms=as_of_ms, note=reason)
    proof = _result(verdict, as_of_ms, time.monotonic() - started)
    _report(verdict, proof, settings.redis_prefix, options.lines)
    return proof


def _rules(settings: AggregateSettings, goals: Goals) -> Rules:
    return Rules(
        goals=reached(goals),
        currency=settings.revenue_currency,
        max_names=settings.max_names,
        expose_pii=settings.expose_pii,
        site=settings.site or "",
    )


def _with_segments(
    verdict: Verdict,
    settings: AggregateSettings,
    rollups: Comparable,
    counted: CountedClicks,
    client: redis.Redis,
    wait_seconds: float,
) -> Verdict:
    """The same with the minute segments. One that differs may be due to be rewritten, so it gets a while."""
    expected = Expected(
        now_s=rollups.meta.as_of_ms // 1000,
        kept_seconds=settings.segment_seconds,
        oldest_s=counted.oldest_s,
        # A state that honours the latest erasure was built after it, with all its segments.
        rebuilt_after_s=max(0, rollups.erasures.latest_ms // 1000),
        skipped=skipped_columns(verdict),
    )
    keys, found = compared(rollups.segments, counted.clicks, expected)
    if found:
        time.sleep(wait_seconds)
        found = still_there(found, rollups.segments, read_segments(client, settings.redis_prefix))
    return replace(
        verdict,
        keys=verdict.keys + len(keys),
        figures=verdict.figures + len(keys),
        differences=[*verdict.differences, *found],
    )


def _counted(
    settings: AggregateSettings, rollups: Comparable, log: EventLog, stop: Event
) -> tuple[CountedClicks, Past]:
    """Count the log up to the offsets of the rollups. Raises NotComparable, LogUnavailable and Stopped."""
    offsets: Mapping[int, int] = rollups.published[OFFSETS] or {}
    # An hour more than the windows: events that arrived then have repeats in them.
    since_ms = _oldest_ms(rollups.meta.as_of_ms) - (HOUR_SECONDS + MINUTE_SECONDS) * 1000
    past = log.past(settings.enriched_topic, since_ms, offsets)
    for partition, end in past.end_offsets.items():
        if end < offsets[partition]:
            raise NotComparable(
                f"partition {partition} of {settings.enriched_topic} ends at offset {end}, and aggregate has counted "
                f"up to {offsets[partition]}: the topic is another one, or lost its records"
            )
    counted = CountedClicks(
        rollups.meta.as_of_ms // 1000,
        limits=settings.limits,
        erasures=rollups.erasures,
        site=settings.site,
        most_sales=settings.max_sales,
    )
    for records in past.records():
        counted.add(records)
        if stop.is_set():
            raise Stopped
    return counted, past


def _oldest_ms(as_of_ms: int) -> int:
    """The start of the oldest half hour that is shown."""
    return (as_of_ms // 1000 // HALF_HOUR_SECONDS - HALF_HOURS_SHOWN + 1) * HALF_HOUR_SECONDS * 1000


def _require_whole(past: Past, as_of_ms: int) -> None:
    """Raise NotComparable if the log no longer has all events of the windows."""
    if past.missing_until_ms > _oldest_ms(as_of_ms):
        raise NotComparable(
            f"the log begins at {iso_second(past.missing_until_ms)}, after {iso_second(_oldest_ms(as_of_ms))}, where "
            "the windows begin; keep records for at least 9 hours (RETENTION_HOURS, REDIS_LOG_RECORDS, "
            "REDIS_LOG_MEGABYTES)"
        )


def _result(verdict: Verdict, as_of_ms: int, seconds: float) -> Proof:
    proof = Proof(
        result="equal",
        at_ms=_now_ms(),
        as_of_ms=as_of_ms,
        keys=verdict.keys,
        figures=verdict.figures,
        events=verdict.events,
        seconds=round(seconds, 1),
    )
    if not verdict.differences:
        return proof
    note = str(verdict.differences[0])
    return replace(proof, result="different", differences=len(verdict.differences), note=note)


def _report(verdict: Verdict, proof: Proof, prefix: str, lines: int) -> None:
    for difference in verdict.differences[:lines]:
        _say(f"{prefix}{difference}")
    if len(verdict.differences) > lines:
        _say(f"… and {len(verdict.differences) - lines:,} more; --lines shows more")
    hint = goals_hint(verdict.differences)
    if hint is not None:
        _say(hint)
    if verdict.not_compared:
        _say(
            f"not compared, because names or sales are beyond MAX_NAMES or MAX_SALES: {', '.join(verdict.not_compared)}"
        )
    noun = "difference" if proof.differences == 1 else "differences"
    found = f"{proof.differences:,} {noun}" if proof.differences else "no difference"
    _say(
        f"{proof.keys:,} keys with {proof.figures:,} figures of {iso_second(proof.as_of_ms)} compared with "
        f"{proof.events:,} events in {proof.seconds:g} s: {found}"
    )


def _keep(client: redis.Redis, prefix: str, proof: Proof) -> None:
    key = prefix + PROOF_ROW.key
    try:
        with client.pipeline(transaction=True) as pipeline:
            pipeline.delete(key)
            write_row(pipeline, key, PROOF_ROW, proof)
            pipeline.execute()
    except redis.RedisError as error:
        logger.warning("cannot write the result", key=key, error=error_text(error))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
