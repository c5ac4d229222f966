"""Shows the parts of cards, with what a pick on them does (Streamlit edge)."""

from collections.abc import Callable

import streamlit as st

from services.dashboard.explore.elements import Elements
from services.dashboard.kit.cards.card import Part, Pickable
from services.dashboard.kit.cards.chart import Chart


def show_part(
    part: Part, key: str, elements: Elements, on_pick: Callable[[object], None] | None, leads_to: str | None = None
) -> None:
    """Show it; a pick calls `on_pick`, None for who may not pick, and scrolls to `leads_to`."""
    match part:
        case Chart():
            elements.draw(
                part.figure_json,
                label=part.label,
                key=f"chart-{key}",
                height=part.height_px,
                on_pick=on_pick if part.is_pickable else None,
                leads_to=leads_to,
            )
        case Pickable() if on_pick is not None:
            elements.show(part, key=key, on_pick=on_pick, leads_to=leads_to)
        case html:
            st.html(html)
