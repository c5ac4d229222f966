"""The row of numbers above the panels of a long window. Pure, HTML out.

A number of one bucket is a button whose `data-pick` zooms to that bucket.
"""

from datetime import datetime

from services.dashboard.explore.long_windows import captions, sessions
from services.dashboard.explore.long_windows.answers import Row, is_kept, number_of
from services.dashboard.explore.long_windows.choices import EARLIER
from services.dashboard.explore.long_windows.found import Found, Seen
from services.dashboard.explore.long_windows.measures import (
    BESIDE,
    LABELS,
    LongMeasure,
    Number,
    is_sales,
    written,
    written_change,
    written_mean,
)
from services.dashboard.explore.long_windows.picks import zoom_pick
from services.dashboard.explore.long_windows.tiles import tile
from services.dashboard.explore.long_windows.zoom import FINER, zoom_text
from services.dashboard.kit import wording
from services.dashboard.kit.time_zones import UTC_CLOCK, Clock
from services.dashboard.kit.wording import counted


def draw(found: Found, clock: Clock = UTC_CLOCK) -> str:
    """The figure of the window and what goes with it, the statistics of its complete buckets, and the change."""
    totals = found.seen.get("totals")
    tiles = [*_totals(found, totals, clock), *_statistics(found.seen.get("series"), clock), _change(totals)]
    own = sessions.draw(found, clock)
    beside = f'<div class="figures of-sessions">{"".join(own)}</div>' if own else ""
    return f'<div class="figures">{"".join(tiles)}</div>{beside}'


def _shown(measure: LongMeasure) -> tuple[LongMeasure, LongMeasure]:
    return (measure, BESIDE[measure]) if is_sales(measure) else ("views", "visitors")


def _totals(found: Found, seen: Seen | None, clock: Clock) -> list[str]:
    if seen is None or not seen.said.rows:
        about = "unknown" if "totals" in found.failures else "asking history"
        return [tile(LABELS[own], wording.UNKNOWN, about) for own in _shown(found.choices.measure)]
    return [_total(own, seen, clock) for own in _shown(seen.choices.measure)]


def _total(measure: LongMeasure, seen: Seen, clock: Clock) -> str:
    row, small = seen.said.rows[0], captions.short(seen.choices, clock)
    window, number = captions.window(seen.choices, seen.said, clock), number_of(row, measure)
    shown = wording.UNKNOWN if number is None else written(number, measure, seen.said.currency)
    foot = small
    if measure == "visitors":
        is_by_day = row.visitors is None and row.visitor_days is not None
        shown = f"≤ {shown}" if is_by_day else shown
        foot = f"of each day, added up, {small}" if is_by_day else f"distinct, {small}"
    elif measure == "refunded" and row.refunds:
        foot = f"{counted(row.refunds, 'refund')}, {small}"
    elif measure == "profit" and row.is_cost_unknown:
        foot = f"no sale has a cost, {small}"
    elif measure == "profit" and row.without_cost:
        foot = f"{counted(row.without_cost, 'sale')} without a cost, {small}"
    return tile(LABELS[measure], shown, foot, hint=window)


def _change(seen: Seen | None) -> str:
    if seen is None or not seen.said.rows:
        return tile("Change", wording.UNKNOWN, "asking history")
    said, choices = seen.said, seen.choices
    if said.compare is None:
        return tile("Change", wording.UNKNOWN, "choose what to compare with")
    about = f"{LABELS[choices.measure].lower()}, on {EARLIER.get(choices.compare, '')}"
    if not is_kept(said.compare.window, said):
        return tile("Change", wording.UNKNOWN, f"{about}: history begins later")
    before = number_of(said.compare.rows[0], choices.measure) if said.compare.rows else None
    now = number_of(said.rows[0], choices.measure)
    if before is None or now is None:
        return tile("Change", wording.UNKNOWN, about)
    difference = now - before
    # Of nothing, or of more refunds than sales, there is no percentage.
    share = f", {wording.signed_percent(float(difference / before))}" if before > 0 else ""
    kind = "up" if difference > 0 else "down" if difference < 0 else ""
    return tile("Change", written_change(difference, choices.measure, said.currency), f"{about}{share}", kind)


def _statistics(seen: Seen | None, clock: Clock) -> list[str]:
    if seen is None:
        return [tile(title, wording.UNKNOWN, "asking history") for title in ("Latest", "Mean", "Min", "Max")]
    said, choices = seen.said, seen.choices
    measure, currency = choices.measure, said.currency
    per = f"{LABELS[measure].lower()} per {choices.interval}"
    rows = [row for row in said.rows if _is_complete(row, said.since, said.as_of)]
    numbers = [(number, row) for row in rows if (number := number_of(row, measure)) is not None]
    if not numbers:
        return [tile(title, wording.UNKNOWN, per) for title in ("Latest", "Mean", "Min", "Max")]

    def of_bucket(title: str, own: tuple[Number, Row]) -> str:
        number, row = own
        assert row.start is not None, "checked by _is_complete"
        foot = f"{per}, {captions.bucket_start(row.start, choices.interval, clock)}"
        finer = FINER.get(choices.interval)
        pick = zoom_pick(zoom_text(row.start, choices.interval, clock)) if finer else ""
        return tile(title, written(number, measure, currency), foot, pick=pick, does=f"Show its {finer}s")

    # The last of equals, as in short windows.
    least = min(reversed(numbers), key=lambda own: own[0])
    greatest = max(reversed(numbers), key=lambda own: own[0])
    mean = written_mean(sum(number for number, _ in numbers), len(numbers), measure, currency)
    return [
        of_bucket("Latest", numbers[-1]),
        tile("Mean", mean, f"{per}, of {len(numbers)} complete"),
        of_bucket("Min", least),
        of_bucket("Max", greatest),
    ]


def _is_complete(row: Row, since: datetime | None, as_of: datetime | None) -> bool:
    """Whether history knows all of a bucket: it began after history did and is over."""
    if row.start is None or row.end is None or since is None or as_of is None:
        return False
    return since <= row.start and row.end <= as_of
