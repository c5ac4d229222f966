"""The leading names of a dimension with views and visitors; each name is a button for its events."""

from services.dashboard.explore import captions
from services.dashboard.explore.choices import Focus
from services.dashboard.explore.exploration import Exploration
from services.dashboard.kit.cards.card import Card, Context, Pickable, head, nothing
from services.dashboard.kit.cards.table import ACCENT, Column, name_cell, table
from services.dashboard.kit.escaping import exactly_in_html, in_html
from services.dashboard.kit.wording import grouped


def draw(found: Exploration, context: Context) -> Card:
    """The card."""
    ranked, label = found.ranked, found.columns.breakdowns[found.choices.breakdown]
    shown, others = len(ranked.names), ranked.others
    window = captions.window(found, context.clock) + (f" · {shown} of {grouped(shown + others)}" if others else "")
    title = head(f"Breakdown by {label.lower()}", window)
    rows = _table(found, label, context)
    return Card(
        name="breakdown",
        parts=(title, rows if context.role == "viewer" else Pickable(rows)),
        columns=4,
        height_px=484,
        phone_height_px=540,
    )


def _table(found: Exploration, label: str, context: Context) -> str:
    ranked, dimension = found.ranked, found.choices.breakdown
    if not ranked.names:
        return nothing(f"No event with a {label.lower()}. Remove a filter or widen the window.")
    greatest = max(1, *ranked.views)
    rows = "".join(
        _row(views, visitors, views / greatest, Focus(found.span, dimension, name), context)
        for name, views, visitors in zip(ranked.names, ranked.views, ranked.visitors, strict=True)
    )
    columns = (Column(label), Column("Views", "figure"), Column("Visitors", "figure"))
    return table("ranking breakdown", f"Breakdown by {label.lower()}", columns, rows)


def _row(views: int, visitors: int, length: float, focus: Focus, context: Context) -> str:
    slot = context.category_colours.get(focus.name) if focus.dimension == "category" else None
    shown = in_html(focus.name)
    button = (
        f"<span>{shown}</span>"
        if context.role == "viewer"
        else (
            f'<button type="button" data-pick="{exactly_in_html(str(focus))}" data-place="{shown}" '
            f'aria-label="{shown}: {grouped(views)} views. Show them">{shown}</button>'
        )
    )
    return (
        f"<tr>{name_cell(button, focus.name, length, ACCENT if slot is None else f'var(--series-{slot})')}"
        f'<td class="figure">{grouped(views)}</td><td class="figure muted">{grouped(visitors)}</td></tr>'
    )
