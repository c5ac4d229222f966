"""`clickpulse prove`: counts the event log or SQL again, and compares every rollup in Redis with that."""

import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from typing import Final

import redis

from services.aggregate.columns.goals import Goals
from services.aggregate.goals_file import read_goals
from services.aggregate.proof.awaiting import NotComparable
from services.aggregate.proof.from_log import LogProof
from services.aggregate.proof.from_sql import SqlProof
from services.aggregate.proof.goals_hint import goals_hint
from services.aggregate.proof.naming import reached
from services.aggregate.proof.options import DIFFERENT, EQUAL, NOT_COMPARED, Options, parse
from services.aggregate.proof.proof import Rules, Verdict
from services.aggregate.proof.settings import ProofSettings
from services.aggregate.settings import AggregateSettings
from shared.events.stored import OpenStored
from shared.events.timestamps import iso_second
from shared.privacy.visitor_history import HistoryUnavailable
from shared.rollups.model import AUDIENCES
from shared.rollups.proof import PROOF_ROW, Proof
from shared.rollups.writing import write_row
from shared.runtime.dependency import Stopped
from shared.runtime.logs import configure_logs, get_logger
from shared.runtime.redis_client import connect
from shared.runtime.settings import ConfigurationError, read_settings
from shared.runtime.tracebacks import error_text
from shared.streams.choose import open_log
from shared.streams.event_log import LogUnavailable

SERVICE: Final = "prove"
_NICE: Final = 10
"""The services come first."""
_EXIT_CODES: Final = {"equal": EQUAL, "different": DIFFERENT, "not_compared": NOT_COMPARED}

logger = get_logger(__name__)


def main(argv: Sequence[str], open_history: OpenStored) -> int:
    """Prove once. Returns the exit code, see `options`. Raises ConfigurationError."""
    options = parse(argv)
    settings = read_settings(ProofSettings)
    rules = _rules(settings, read_goals(settings.goals_file))
    configure_logs(SERVICE, settings.log_format, settings.log_level)
    with suppress(AttributeError, OSError):  # not on Windows
        os.nice(_NICE)
    with closing(open_log(settings, SERVICE)) as log, connect(settings.redis_url) as client:
        attempt: LogProof | SqlProof
        if options.source == "log":
            attempt = LogProof(settings, rules, client, log, options.wait_seconds)
        else:
            attempt = SqlProof(settings, rules, client, log, options.wait_seconds, open_history)
        try:
            proof = _proof(attempt, options, settings.redis_prefix)
        except (Stopped, KeyboardInterrupt):
            _say("stopped before the end")
            return NOT_COMPARED
        _keep(client, settings.redis_prefix, proof)
        return _EXIT_CODES[proof.result]


def _proof(attempt: LogProof | SqlProof, options: Options, prefix: str) -> Proof:
    started = time.monotonic()
    try:
        verdict = attempt.run()
    except ConfigurationError:
        raise  # about the server
    except (NotComparable, HistoryUnavailable, LogUnavailable, redis.RedisError) as error:
        reason = str(error) if isinstance(error, NotComparable) else error_text(error)
        _say(f"nothing was compared: {reason}")
        at_ms = _now_ms()
        return Proof(result="not_compared", at_ms=at_ms, as_of_ms=attempt.as_of_ms, note=reason, source=options.source)
    proof = replace(_result(verdict, attempt.as_of_ms, time.monotonic() - started), source=options.source)
    _report(verdict, proof, prefix, options.lines)
    return proof


def _rules(settings: AggregateSettings, goals: Goals) -> Rules:
    return Rules(
        goals=reached(goals),
        currency=settings.revenue_currency,
        max_names=settings.max_names,
        expose_pii=settings.expose_pii,
        site=settings.site or "",
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
    for reason, keys in _by_reason(verdict.not_compared).items():
        _say(f"not compared, because {reason}: {', '.join(keys)}")
    noun = "difference" if proof.differences == 1 else "differences"
    found = f"{proof.differences:,} {noun}" if proof.differences else "no difference"
    source = "events in SQL" if proof.source == "sql" else "events"
    _say(
        f"{proof.keys:,} keys with {proof.figures:,} figures of {iso_second(proof.as_of_ms)} compared with "
        f"{proof.events:,} {source} in {proof.seconds:g} s: {found}"
    )


def _by_reason(not_compared: Mapping[str, str]) -> dict[str, list[str]]:
    """The keys of each reason, with one for those of all audiences."""
    found: dict[str, dict[str, None]] = {}
    for key, reason in not_compared.items():
        for audience in AUDIENCES:
            key = key.replace(f"rollup:{audience}:", "rollup:<audience>:")
        found.setdefault(reason, {})[key] = None
    return {reason: list(keys) for reason, keys in found.items()}


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
