"""The page's HTML but for its tables and key figures: the status strip, card heads and notices. Pure.

Whatever does not stem from this file goes through `in_html`.
"""

from collections.abc import Iterable
from typing import Final

from services.dashboard.kit.escaping import in_html
from services.dashboard.kit.freshness import Freshness, Standing
from services.dashboard.kit.time_zones import UTC_CLOCK, Clock
from services.dashboard.kit.wording import ago, counted, duration, grouped, rate
from shared.rollups.model import Meta

HOUR_SECONDS: Final = 3600
BRAND: Final = '<div class="brand"><span class="mark" aria-hidden="true"><i></i><i></i><i></i></span>Clickpulse</div>'

_NAMES: Final = {
    Standing.LIVE: "Live",
    Standing.PARTIAL: "Incomplete",
    Standing.BEHIND: "Catching up",
    Standing.QUIET: "Quiet",
    Standing.WAITING: "Waiting",
    Standing.STALE: "Stale",
}


def head(title: str, window: str, side: str = "") -> str:
    """A card's head: what it shows, over which window, and HTML for its right side."""
    aside = f'<div class="side">{side}</div>' if side else ""
    return f'<div class="head"><div><h2>{in_html(title)}</h2><p>{in_html(window)}</p></div>{aside}</div>'


def current_page(title: str) -> str:
    """The navigation's entry of the page that is shown."""
    return f'<span class="here" aria-current="page">{in_html(title)}</span>'


def legend(entries: Iterable[tuple[str, str, str]]) -> str:
    """A legend for a card's head: CSS colour, name, figure."""
    return "".join(
        f'<span class="key"><i style="background:{colour}"></i>{in_html(name)} <b>{in_html(figure)}</b></span>'
        for colour, name, figure in entries
    )


def strip(meta: Meta, freshness: Freshness, clock: Clock = UTC_CLOCK) -> str:
    """The status strip over numbers that Redis delivers: the standing, why, and what they rest on."""
    facts = [
        ("Rollup", f"{ago(freshness.rollup_age_seconds)}, {when(meta.as_of_ms, clock)}", ""),
        ("Newest event", "none" if freshness.event_age_seconds is None else ago(freshness.event_age_seconds), ""),
        ("Behind", counted(meta.lag, "event"), ""),
        ("Reading", f"{rate(meta.events_per_second)} events/s", ""),
        _coverage(meta, freshness),
        _conservation(meta),
    ]
    return status_strip(freshness.standing, _NAMES[freshness.standing], _reason(meta, freshness, clock), facts)


def _reason(meta: Meta, freshness: Freshness, clock: Clock) -> str:
    match freshness.standing:
        case Standing.LIVE:
            up_to_date = "Numbers are up to the second"
            return (
                f"{up_to_date}." if meta.coverage_1h_s >= HOUR_SECONDS else f"{up_to_date}; the last hour is loading."
            )
        case Standing.PARTIAL:
            return (
                f"{_missing(freshness)} missing: every number is too low until it is taken over. "
                "Is a <code>clickpulse aggregate</code> down?"
            )
        case Standing.BEHIND:
            return f"{counted(meta.lag, 'event')} still to be counted; the windows fill as they are."
        case Standing.QUIET:
            lasting = duration(freshness.event_age_seconds or 0)
            return f"No visit for {lasting}, since {when(freshness.since_ms, clock)}. The pipeline works."
        case Standing.WAITING:
            return "The pipeline works and no event has come yet. Send some with <code>clickpulse generate</code>."
        case Standing.STALE:
            return (
                f"No new numbers since {when(freshness.since_ms, clock)} ({duration(freshness.rollup_age_seconds)}). "
                "Is <code>clickpulse aggregate</code> running?"
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


def _conservation(meta: Meta) -> tuple[str, str, str]:
    missing = meta.read - meta.counted - meta.late - meta.duplicates - meta.dead_letters
    if meta.balances:
        return ("Conservation", f"all {counted(meta.read, 'event')} accounted for", "")
    wrong = "unaccounted for" if missing > 0 else "too many accounted for"
    return ("Conservation", f"{grouped(abs(missing))} of {counted(meta.read, 'event')} {wrong}", "bad")


def unreachable_strip(
    address: str, since_ms: int, reason: str, now_ms: int, of_ms: int | None, clock: Clock = UTC_CLOCK
) -> str:
    """The strip while Redis does not answer. The numbers shown are of `of_ms`; None: there are none."""
    lasting = duration(max(0, now_ms - since_ms) / 1000)
    numbers = f" The numbers below are of {when(of_ms, clock)}." if of_ms is not None else ""
    return status_strip(
        "unreachable",
        "Redis unreachable",
        f"{in_html(address)} does not answer since {when(since_ms, clock)} ({lasting}). This page tries again each "
        f'refresh and heals by itself.{numbers} <span class="detail">{in_html(reason)}</span>',
        [],
    )


def malformed_strip(since_ms: int, reason: str, of_ms: int | None, clock: Clock = UTC_CLOCK) -> str:
    """The strip while a key cannot be read; `of_ms` as there."""
    numbers = f" The numbers below are of {when(of_ms, clock)}." if of_ms is not None else ""
    return status_strip(
        "malformed",
        "Unreadable numbers",
        f"Redis holds what this dashboard cannot read since {when(since_ms, clock)}.{numbers} "
        f'<span class="detail">{in_html(reason, 300)}</span>',
        [],
    )


def empty_strip() -> str:
    """The strip before the first publish."""
    return status_strip("waiting", "Waiting", "Redis answers, and nothing has been published yet.", [])


def when(timestamp_ms: int, clock: Clock) -> str:
    """A time that stands alone, with UTC for whoever points at it."""
    return clock.in_html(timestamp_ms, clock.named_time(timestamp_ms))


def status_strip(standing: str, name: str, reason_html: str, facts: Iterable[tuple[str, str, str]]) -> str:
    """The strip: a standing that the stylesheet knows, its name, why it is so, and facts: label, HTML, CSS class."""
    listed = "".join(f'<span class="fact {kind}"><span>{label}</span> {value}</span>' for label, value, kind in facts)
    return (
        f'<div class="strip" role="region" aria-label="Status of the numbers" data-standing="{standing}">'
        f'<div><strong><i aria-hidden="true"></i>{name}</strong>'
        f'<p class="reason">{reason_html}</p></div><div class="facts">{listed}</div></div>'
    )


def empty_notice() -> str:
    """What stands in place of the panels before the first publish."""
    return (
        '<div class="notice"><h1>No events yet</h1>'
        "<p>The numbers appear here by themselves, a second after the first click.</p>"
        "<dl><dt>See it work</dt><dd><code>make demo</code> starts everything with generated visitors.</dd>"
        "<dt>Send clicks</dt><dd><code>clickpulse generate</code> invents them, <code>clickpulse replay FILE</code> "
        "reads a log.</dd><dt>Already sending?</dt><dd>See that <code>clickpulse enrich</code> and "
        "<code>clickpulse aggregate</code> run with this REDIS_URL and REDIS_PREFIX.</dd></dl></div>"
    )


def missing_notice() -> str:
    """What stands in place of the panels while there never were numbers to show."""
    return (
        '<div class="notice"><h1>No numbers to show</h1>'
        "<p>None came since this dashboard was started. The strip above says why; the page heals by itself.</p></div>"
    )
