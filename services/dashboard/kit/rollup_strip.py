"""The status strip of a rollup, which Live and Explore show. Pure, HTML out."""

from collections.abc import Sequence
from typing import Final

from services.dashboard.kit import freshness
from services.dashboard.kit.escaping import in_html
from services.dashboard.kit.freshness import Freshness, Standing
from services.dashboard.kit.status_strip import age, malformed_strip, status_strip, unreachable_strip, when
from services.dashboard.kit.time_zones import UTC_CLOCK, Clock
from services.dashboard.kit.wording import counted, counted_or_unknown, duration, grouped, rate
from services.dashboard.sign_in.access import Role
from services.dashboard.sources.observations import Empty, FailingPart, Live, Malformed, Observation, Unreachable
from shared.events.time_units import HOUR_SECONDS
from shared.rollups.model import Meta
from shared.status.replica_status import STARTING

_NAMES: Final = {
    Standing.LIVE: "Live",
    Standing.CUT_OFF: "Cut off",
    Standing.PARTIAL: "Incomplete",
    Standing.BEHIND: "Catching up",
    Standing.QUIET: "Quiet",
    Standing.WAITING: "Waiting",
    Standing.STALE: "Stale",
}


_CLAIMS_ALL_IS_WELL: Final = {Standing.LIVE, Standing.CUT_OFF, Standing.QUIET, Standing.WAITING}
_LOOKS: Final = {Standing.CUT_OFF: Standing.PARTIAL}
"""Standings that look like another one."""


def rollup_strip(
    observation: Observation, address: str, now_ms: int, clock: Clock = UTC_CLOCK, *, role: Role = "analyst"
) -> str:
    """The strip for what was observed of the Redis at `address`.

    A viewer is not told the reason of an error, which may quote what could not be read.
    """
    match observation:
        case Empty():
            return status_strip("waiting", "Waiting", "Redis answers, but nothing has been published yet.")
        case Unreachable(since_ms, reason, last, is_refused):
            of_ms = last.meta.as_of_ms if last else None
            said = _for(role, reason)
            return unreachable_strip(address, since_ms, said, now_ms, of_ms, clock, is_refused=is_refused)
        case Malformed(since_ms, reason, last):
            return malformed_strip(since_ms, _for(role, reason), last.meta.as_of_ms if last else None, clock)
        case Live(snapshot, partitions_before, late_lately, failing):
            fresh = freshness.judge(snapshot.meta, partitions_before=partitions_before, now_ms=now_ms)
            causes = _causes(failing, role, now_ms, clock)
            return _strip(snapshot.meta, fresh, late_lately, causes, clock)


def _for(role: Role, reason: str) -> str:
    return reason if role == "analyst" else ""


def _causes(failing: Sequence[FailingPart], role: Role, now_ms: int, clock: Clock) -> str:
    """A sentence for each part that fails, in however many services, as HTML."""
    by_part: dict[str | None, list[FailingPart]] = {}
    for own in failing:
        by_part.setdefault(own.part, []).append(own)
    return " ".join(_cause(part, own, role, now_ms, clock) for part, own in by_part.items())


def _cause(part: str | None, failing: Sequence[FailingPart], role: Role, now_ms: int, clock: Clock) -> str:
    first = min(failing, key=lambda own: own.since_ms)
    since = f"since {when(first.since_ms, clock)} ({duration(max(0, now_ms - first.since_ms) / 1000)})"
    services = [f"<code>clickpulse {in_html(own.service, 40)}</code>" for own in failing]
    is_one = len(services) == 1
    if part is None:
        return f"No {' and no '.join(services)} is running {since}; clicks wait to be counted."
    if part == STARTING:
        what = f"{'is' if is_one else 'are'} still starting"
    else:
        what = f"fail{'s' if is_one else ''}: {in_html(_named(part), 40)}"
    detail = f' <span class="detail">{in_html(first.reason)}</span>' if _for(role, first.reason) else ""
    return f"{' and '.join(services)} {what}, {since}; clicks wait to be counted.{detail}"


def _named(part: str) -> str:
    return {"log": "the event log", "redis": "Redis", "state": "its state"}.get(part, part)


def _strip(meta: Meta, freshness: Freshness, late_lately: int, causes: str, clock: Clock) -> str:
    facts = [
        ("Rollup", f"{age(freshness.rollup_age_seconds)}, {when(meta.as_of_ms, clock)}", ""),
        ("Newest event", "none" if freshness.event_age_seconds is None else age(freshness.event_age_seconds), ""),
        ("Behind", counted_or_unknown(meta.lag, "event"), ""),
        ("Reading", f"{rate(meta.events_per_second)} events/s", ""),
        _coverage(meta, freshness),
        _conservation(meta, late_lately),
    ]
    standing = freshness.standing
    if causes and standing in _CLAIMS_ALL_IS_WELL:
        standing = Standing.CUT_OFF
    if not causes:
        reason = _reason(meta, freshness, clock)
    elif standing is Standing.STALE:
        reason = f"{_stale(freshness, clock)} {causes}"
    elif standing is Standing.CUT_OFF:
        reason = causes
    else:
        reason = f"{_reason(meta, freshness, clock)} {causes}"
    if freshness.standing is not Standing.STALE:
        reason += _late(late_lately)
    return status_strip(_LOOKS.get(standing, standing), _NAMES[standing], reason, facts)


def _stale(freshness: Freshness, clock: Clock) -> str:
    return f"No new numbers since {when(freshness.since_ms, clock)} ({duration(freshness.rollup_age_seconds)})."


def _reason(meta: Meta, freshness: Freshness, clock: Clock) -> str:
    match freshness.standing:
        case Standing.LIVE:
            of = f" of {in_html(meta.site, 60)}" if meta.site else ""
            up_to_date = f"Numbers{of} are up to the second"
            return (
                f"{up_to_date}." if meta.coverage_1h_s >= HOUR_SECONDS else f"{up_to_date}; the last hour is loading."
            )
        case Standing.PARTIAL:
            return (
                f"{_missing(freshness)} missing: every number is too low until a replica takes it over. "
                "Is a <code>clickpulse aggregate</code> down?"
            )
        case Standing.BEHIND:
            return f"{counted(meta.lag or 0, 'event')} not counted yet; the numbers are too low until they are."
        case Standing.QUIET:
            lasting = duration(freshness.event_age_seconds or 0)
            return f"No event for {lasting}, since {when(freshness.since_ms, clock)}. The pipeline works."
        case Standing.WAITING if meta.site and meta.other_site:
            return f"The pipeline works but has received no event of {in_html(meta.site)} yet."
        case Standing.WAITING if 0 < meta.read == meta.late:
            return "The pipeline works, but every event it received was late."
        case Standing.WAITING:
            return "The pipeline works but has received no event yet. Send some with <code>clickpulse generate</code>."
        case Standing.STALE:
            return f"{_stale(freshness, clock)} Is <code>clickpulse aggregate</code> running?"
        case Standing.CUT_OFF:
            return "<code>clickpulse aggregate</code> cannot read the event log; clicks wait to be counted."


def _late(lately: int) -> str:
    """What the reason adds when late events have come in the last minute."""
    if lately == 0:
        return ""
    were, they_are = ("was", "it is") if lately == 1 else ("were", "they are")
    return (
        f" {counted(lately, 'event')} of the last minute {were} late: older than every window, so {they_are} in no "
        "figure. Is it a recording? Send it with <code>clickpulse replay --shift-to-now</code>."
    )


def _missing(freshness: Freshness) -> str:
    missing = freshness.partitions_missing
    if not missing:
        return "A partition is"
    return f"{counted(missing, 'partition')} {'is' if missing == 1 else 'are'}"


def _coverage(meta: Meta, freshness: Freshness) -> tuple[str, str, str]:
    missing = freshness.partitions_missing
    if missing:
        return ("Coverage", f"{meta.partitions} of {meta.partitions + missing} partitions", "warning")
    if freshness.standing is Standing.PARTIAL:
        return ("Coverage", "a partition is missing", "warning")
    covered = min(meta.coverage_1h_s, HOUR_SECONDS)
    return ("Coverage", f"{covered // 60} of 60 min loaded", "" if covered == HOUR_SECONDS else "warning")


def _conservation(meta: Meta, late_lately: int) -> tuple[str, str, str]:
    missing = meta.unaccounted
    if meta.balances:
        elsewhere = f", {grouped(meta.other_site)} of other sites" if meta.other_site else ""
        if meta.late:
            words = f"all {grouped(meta.read)} accounted for, {grouped(meta.late)} late{elsewhere}"
            return ("Event counts", words, "warning" if late_lately else "")
        return ("Event counts", f"all {counted(meta.read, 'event')} accounted for{elsewhere}", "")
    if missing > 0:
        return ("Event counts", f"{grouped(missing)} of {counted(meta.read, 'event')} unaccounted for", "bad")
    return ("Event counts", f"{grouped(-missing)} more than the {counted(meta.read, 'event')} read", "bad")
