"""The row of numbers above the panels of a long window. Pure, HTML out."""

from datetime import datetime

from services.dashboard.explore.choices import MEASURES
from services.dashboard.explore.long_windows import captions
from services.dashboard.explore.long_windows.answers import Row, count_of, is_kept
from services.dashboard.explore.long_windows.choices import EARLIER, Interval
from services.dashboard.explore.long_windows.found import Found, Seen
from services.dashboard.kit import wording
from services.dashboard.kit.escaping import in_html
from services.dashboard.kit.time_zones import UTC_CLOCK, Clock
from services.dashboard.kit.wording import grouped


def draw(found: Found, clock: Clock = UTC_CLOCK) -> str:
    """Views and visitors of the window with their change, and the statistics of its complete buckets."""
    totals = found.seen.get("totals")
    tiles = [*_totals(totals, clock), *_statistics(found.seen.get("series"), clock), _change(totals)]
    return f'<div class="figures">{"".join(tiles)}</div>'


def _totals(seen: Seen | None, clock: Clock) -> list[str]:
    if seen is None or not seen.said.rows:
        return [_tile(title, wording.UNKNOWN, "asking history") for title in ("Views", "Visitors")]
    said, choices = seen.said, seen.choices
    row = said.rows[0]
    window, small = captions.window(choices, said, clock), captions.short(choices)
    views = _number(row.views)
    if row.visitors is None and row.visitor_days is not None:
        visitors = _tile("Visitors", f"≤ {grouped(row.visitor_days)}", f"of each day, added up, {small}", hint=window)
    else:
        visitors = _tile("Visitors", _number(row.visitors), f"distinct, {small}", hint=window)
    return [_tile("Views", views, small, hint=window), visitors]


def _change(seen: Seen | None) -> str:
    if seen is None or not seen.said.rows:
        return _tile("Change", wording.UNKNOWN, "asking history")
    said, choices = seen.said, seen.choices
    if said.compare is None:
        return _tile("Change", wording.UNKNOWN, "choose what to compare with")
    noun = MEASURES[choices.measure].lower()
    about = f"{noun}, on {EARLIER.get(choices.compare, '')}"
    if not is_kept(said.compare.window, said):
        return _tile("Change", wording.UNKNOWN, f"{about}: history begins later")
    before = count_of(said.compare.rows[0], choices.measure) if said.compare.rows else None
    now = count_of(said.rows[0], choices.measure)
    if before is None or now is None:
        return _tile("Change", wording.UNKNOWN, about)
    difference = now - before
    share = f", {wording.signed_percent(difference / before)}" if before else ""
    kind = "up" if difference > 0 else "down" if difference < 0 else ""
    return _tile("Change", f"{difference:+,}".replace("-", "−"), f"{about}{share}", kind)


def _statistics(seen: Seen | None, clock: Clock) -> list[str]:
    if seen is None:
        return [_tile(title, wording.UNKNOWN, "asking history") for title in ("Latest", "Mean", "Min", "Max")]
    said, choices = seen.said, seen.choices
    per = f"{MEASURES[choices.measure].lower()} per {choices.interval}"
    rows = [row for row in said.rows if _is_complete(row, said.since, said.as_of)]
    counts = [(count, row) for row in rows if (count := count_of(row, choices.measure)) is not None]
    if not counts:
        return [_tile(title, wording.UNKNOWN, per) for title in ("Latest", "Mean", "Min", "Max")]
    latest = counts[-1]
    # The last of equals, as in short windows.
    least = min(reversed(counts), key=lambda own: own[0])
    greatest = max(reversed(counts), key=lambda own: own[0])
    mean = sum(count for count, _ in counts) / len(counts)
    return [
        _tile("Latest", grouped(latest[0]), _foot(per, latest[1], choices.interval, clock)),
        _tile("Mean", wording.rate(mean), f"{per}, of {len(counts)} complete"),
        _tile("Min", grouped(least[0]), _foot(per, least[1], choices.interval, clock)),
        _tile("Max", grouped(greatest[0]), _foot(per, greatest[1], choices.interval, clock)),
    ]


def _is_complete(row: Row, since: datetime | None, as_of: datetime | None) -> bool:
    """Whether history knows all of a bucket: it began after history did and is over."""
    if row.start is None or row.end is None or since is None or as_of is None:
        return False
    return since <= row.start and row.end <= as_of


def _foot(per: str, row: Row, interval: Interval, clock: Clock) -> str:
    assert row.start is not None, "checked by _is_complete"
    return f"{per}, {captions.bucket_start(row.start, interval, clock)}"


def _number(count: int | None) -> str:
    return wording.UNKNOWN if count is None else grouped(count)


def _tile(title: str, number: str, foot: str, kind: str = "", hint: str = "") -> str:
    shown = f'<span class="number {kind}" style="--digits:{max(4, len(number))}">{number}</span>'
    return f'<div class="kpi"><h2>{title}</h2>{shown}<p title="{in_html(hint or foot)}">{in_html(foot)}</p></div>'
