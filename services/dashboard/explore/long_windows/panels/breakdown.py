"""The leading names of a dimension; each name is a button that filters by it."""

from services.dashboard.explore.long_windows import captions
from services.dashboard.explore.long_windows.answers import Row, count_of, is_kept
from services.dashboard.explore.long_windows.choices import BREAKDOWNS, EARLIER
from services.dashboard.explore.long_windows.found import Found, Seen
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
        return _card(title, nothing(f"No event with a {label.lower()}. Remove a filter or widen the window."))
    return _card(title, Pickable(_table(seen, label, context)))


def _card(title: str, rows: str) -> Card:
    return Card(name="breakdown", parts=(title, rows), columns=4, height_px=484, phone_height_px=540)


def _table(seen: Seen, label: str, context: Context) -> str:
    said, choices = seen.said, seen.choices
    greatest = max(1, *(count_of(row, choices.measure) or 0 for row in said.rows))
    compare = said.compare
    before = {row.name: row for row in compare.rows} if compare and is_kept(compare.window, said) else None
    change = f"Change on {EARLIER.get(choices.compare, '')}"
    columns = [
        Column(label),
        Column("Views", "figure"),
        Column("Visitors", "figure"),
        *([] if before is None else [Column(f'<span title="{change}">Change</span>', "figure")]),
    ]
    rows = "".join(_row(row, greatest, before, seen, context) for row in said.rows)
    return table("ranking breakdown", f"Breakdown by {label.lower()}", columns, rows)


def _row(row: Row, greatest: int, before: dict[str, Row] | None, seen: Seen, context: Context) -> str:
    choices = seen.choices
    slot = context.category_colours.get(row.name) if choices.breakdown == "category" else None
    shown, count = in_html(row.name or "(none)"), count_of(row, choices.measure)
    pick = exactly_in_html(pick_of(choices.breakdown, row.name))
    button = (
        f'<button type="button" data-pick="{pick}" data-place="{shown}" '
        f'aria-label="{shown}: {_number(row.views)} views. Show only these">{shown}</button>'
    )
    colour = ACCENT if slot is None else f"var(--series-{slot})"
    against = "" if before is None else f'<td class="figure muted">{_change(row, before.get(row.name), seen)}</td>'
    return (
        f"<tr>{name_cell(button, row.name, (count or 0) / greatest, colour)}"
        f'<td class="figure">{_number(row.views)}</td><td class="figure muted">{_visitors(row)}</td>{against}</tr>'
    )


def _number(count: int | None) -> str:
    return UNKNOWN if count is None else grouped(count)


def _visitors(row: Row) -> str:
    """Distinct visitors; by day and added up where raw events are gone."""
    return _number(row.visitors) if row.visitor_days is None else f"≤ {grouped(row.visitor_days)}"


def _change(row: Row, before: Row | None, seen: Seen) -> str:
    measure = seen.choices.measure
    now, then = count_of(row, measure), 0 if before is None else count_of(before, measure)
    if now is None or then is None:
        return UNKNOWN
    return "new" if then == 0 else signed_percent((now - then) / then)
