"""The status strip of the Sales page: whether history answers, and whether it keeps up. Pure, HTML out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.dashboard.kit.escaping import in_html
from services.dashboard.kit.money import currency_name
from services.dashboard.kit.status_strip import status_strip, unreachable_strip, when
from services.dashboard.kit.time_zones import Clock
from services.dashboard.kit.wording import counted, counted_or_unknown, duration
from services.dashboard.sources.failing_parts import GONE_AFTER_SECONDS, failing_parts
from services.dashboard.sources.history.sales import SalesDay
from services.dashboard.sources.observations import (
    FailingPart,
    Reported,
    SoldObservation,
    StatusObservation,
    Unreachable,
)

SERVICE: Final = "history"
_BEHIND_AFTER_MS: Final = 15_000


@dataclass(frozen=True, slots=True)
class Reports:
    """What the replicas of history report: events that they have not read, and what fails."""

    lag: int | None = None  # None: unknown
    failing: FailingPart | None = None


def reports_of(observation: StatusObservation, now_ms: int) -> Reports:
    """The reports in Redis; nothing where history does not report there."""
    if not isinstance(observation, Reported):
        return Reports()
    lags = [
        replica.status.lag_sum
        for replica in observation.replicas
        if replica.status.service == SERVICE
        and replica.status.state == "running"
        and now_ms - replica.heard_ms <= 1000 * GONE_AFTER_SECONDS
    ]
    known = [lag for lag in lags if lag is not None]
    failing = failing_parts(observation, now_ms, (SERVICE,))
    return Reports(sum(known) if known and len(known) == len(lags) else None, failing[0] if failing else None)


def sales_strip(observation: SoldObservation, reports: Reports, address: str, now_ms: int, clock: Clock) -> str:
    """The strip of what the history at `address` answered."""
    if isinstance(observation, Unreachable):
        last = observation.last
        of_ms = None if last is None or last.as_of_ms is None else min(last.as_of_ms, observation.since_ms)
        return unreachable_strip(
            address,
            observation.since_ms,
            observation.reason,
            now_ms,
            of_ms,
            clock,
            is_refused=observation.is_refused,
            what="History",
        )
    day = observation.day
    standing, name, reason = _verdict(day, reports, now_ms, clock)
    return status_strip(standing, name, reason, _facts(day, reports, now_ms, clock))


def _verdict(day: SalesDay, reports: Reports, now_ms: int, clock: Clock) -> tuple[str, str, str]:
    failing = reports.failing
    if failing is not None:
        since = f"since {when(failing.since_ms, clock)} ({duration(max(0, now_ms - failing.since_ms) / 1000)})"
        what = f"fails: {in_html(failing.part, 40)}" if failing.part else "has stopped"
        detail = f' <span class="detail">{in_html(failing.reason)}</span>' if failing.reason else ""
        return "behind", "Behind", f"<code>clickpulse history</code> {what}, {since}; sales wait to be stored.{detail}"
    if day.as_of_ms is None:
        return "waiting", "Waiting", "History answers but has no event yet."
    if reports.lag and now_ms - day.as_of_ms > _BEHIND_AFTER_MS:
        return (
            "behind",
            "Catching up",
            f"{counted(reports.lag, 'event')} not stored yet; the numbers are too low until they are.",
        )
    return "live", "Live", "Sales are up to the second."


def _facts(day: SalesDay, reports: Reports, now_ms: int, clock: Clock) -> Sequence[tuple[str, str, str]]:
    newest = "none" if day.as_of_ms is None else when(min(day.as_of_ms, now_ms), clock)
    return (
        ("Events up to", newest, ""),
        ("Behind", counted_or_unknown(reports.lag, "event"), ""),
        ("Currency", in_html(currency_name(day.currency), 12), ""),
        ("Kept since", "–" if day.since_ms is None else clock.in_html(day.since_ms, clock.day(day.since_ms)), ""),
    )
