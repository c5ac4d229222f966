"""The leading names of a dimension; each name is a button that filters by it."""

from services.dashboard.explore.long_windows import captions
from services.dashboard.explore.long_windows.answers import Row, is_kept, number_of
from services.dashboard.explore.long_windows.choices import BREAKDOWNS, EARLIER, LongChoices, ordered_by
from services.dashboard.explore.long_windows.found import Found, Seen
from services.dashboard.explore.long_windows.measures import BESIDE, LABELS, LongMeasure, is_sales, written
from services.dashboard.explore.long_windows.picks import pick_of
from services.dashboard.explore.long_windows.waiting import absent
from services.dashboard.kit.cards.card import Card, Context, Pickable, head, nothing
from services.dashboard.kit.cards.table import ACCENT, Column, name_cell, table
from services.dashboard.kit.escaping import exactly_in_html, in_html
from services.dashboard.kit.wording import UNKNOWN, grouped, signed_percent


def draw(found: Found, context: Context) -> Card:
    """The card."""
    seen = found.seen.get("ranked")
    if seen is None or "ranked" in found.failures:
        label = BREAKDOWNS[found.choices.breakdown].lower()
        return _card(head(f"Breakdown by {label}", ""), absent(found, "ranked", context.role))
    label, said = BREAKDOWNS[seen.choices.breakdown], seen.said
    shown = len(said.rows)
    window = captions.window(seen.choices, said, context.clock)
    window += f" · {shown} of {grouped(shown + said.more)}" if said.more else ""
    title = head(f"Breakdown by {label.lower()}", window)
    if not said.rows:
        what = "sale" if is_sales(seen.choices.measure) else "event"
        return _card(title, nothing(f"No {what} with a {label.lower()}. Remove a filter or widen the window."))
    return _card(title, Pickable(_table(found, seen, label, context)))


def _card(title: str, rows: str) -> Card:
    return Card(name="breakdown", parts=(title, rows), columns=4, height_px=484, phone_height_px=540)


def _table(found: Found, seen: Seen, label: str, context: Context) -> str:
    said, choices = seen.said, seen.choices
    compare = said.compare
    before = {row.name: row for row in compare.rows} if compare and is_kept(compare.window, said) else None
    change = f"Change on {EARLIER.get(choices.compare, '')}"
    columns = [
        Column(label),
        *(Column(LABELS[measure], "figure") for measure in _shown(choices)),
        *([] if before is None else [Column(f'<span title="{change}">Change</span>', "figure")]),
    ]
    rows = "".join(_row(row, found, seen, before, context) for row in said.rows)
    return table("ranking breakdown", f"Breakdown by {label.lower()}", columns, rows)


def _shown(choices: LongChoices) -> tuple[LongMeasure, LongMeasure]:
    """Two figures of each name. Traffic has the same in the same place, whichever the order is by."""
    return (choices.measure, BESIDE[choices.measure]) if is_sales(choices.measure) else ("views", "visitors")


def _row(row: Row, found: Found, seen: Seen, before: dict[str, Row] | None, context: Context) -> str:
    choices = seen.choices
    slot = context.category_colours.get(row.name) if choices.breakdown == "category" else None
    first, second = (_written(row, measure, found, seen) for measure in _shown(choices))
    shown = in_html(row.name or "(none)")
    pick = exactly_in_html(pick_of(choices.breakdown, row.name))
    about = f"{first} {LABELS[_shown(choices)[0]].lower()}"
    button = (
        f'<button type="button" data-pick="{pick}" data-place="{shown}" '
        f'aria-label="{shown}: {about}. Show only these">{shown}</button>'
    )
    colour = ACCENT if slot is None else f"var(--series-{slot})"
    against = "" if before is None else f'<td class="figure muted">{_change(row, before.get(row.name), seen)}</td>'
    return (
        f"<tr>{name_cell(button, row.name, _length(row, seen), colour)}"
        f'<td class="figure">{first}</td><td class="figure muted">{second}</td>{against}</tr>'
    )


def _length(row: Row, seen: Seen) -> float:
    """Of the bar: the part of the greatest figure. Amounts of several currencies cannot be compared."""
    measure = ordered_by(seen.choices)
    greatest = max(1, *(number_of(own, measure) or 0 for own in seen.said.rows))
    return float(max(0, number_of(row, measure) or 0) / greatest)


def _written(row: Row, measure: LongMeasure, found: Found, seen: Seen) -> str:
    """A figure. Distinct visitors are by day and added up where raw events are gone."""
    number = number_of(row, measure)
    if number is None:
        return UNKNOWN
    own = row.name if seen.choices.breakdown == "currency" else seen.said.currency
    text = in_html(written(number, measure, own or found.currency))
    return f"≤ {text}" if measure == "visitors" and row.visitors is None else text


def _change(row: Row, before: Row | None, seen: Seen) -> str:
    measure = seen.choices.measure
    now, then = number_of(row, measure), 0 if before is None else number_of(before, measure)
    if now is None or then is None:
        return UNKNOWN
    if then > 0:
        return signed_percent(float((now - then) / then))
    return "new" if then == 0 and now else UNKNOWN
