"""A board as the JSON that `board.js` reads. Pure."""

from collections.abc import Mapping
from typing import Any

import msgspec

from services.dashboard.kit.cards.board import Board
from services.dashboard.kit.cards.card import Card, Part
from services.dashboard.kit.cards.chart import Chart
from services.dashboard.kit.cards.world_map import WorldMap


def shown_tabs(board: Board, chosen: Mapping[str, str]) -> dict[str, str]:
    """The tab that each card with tabs shows: the one that is chosen for it, if it has that, or its first."""
    return {
        card.name: next((tab.name for tab in card.tabs if tab.name == chosen.get(card.name)), card.tabs[0].name)
        for card in board.cards
        if card.tabs
    }


def encoded(board: Board, at: str, refresh_seconds: float, shown: Mapping[str, str] | None = None) -> bytes:
    """The board as JSON, drawn `at` a time in words; the next one comes `refresh_seconds` later.

    `strip`, `figures` and `notice` are HTML; `name` and `count` are for the title of the browser's tab, `wall` for wall
    mode. `at` and `refresh_s` are for the strip, which ages in the browser. `cards` are `{name, style, split, scroll,
    parts, tabs}`, a part being `{html}`, a chart or a map, and a tab `{name, label, parts}`. `scroll` is the height in
    px of what is below the head, 0 if it does not scroll. `shown` are `shown_tabs`: the other tabs have no parts, and
    the browser leaves them as they are. None means that all have theirs.
    """
    return msgspec.json.encode(
        {
            "strip": board.strip,
            "at": at,
            "refresh_s": refresh_seconds,
            "figures": board.key_figures,
            "cards": [_card(card, shown) for card in board.cards],
            "notice": board.notice,
            "name": board.name,
            "count": board.count,
            "wall": board.is_wall,
        }
    )


def _card(card: Card, shown: Mapping[str, str] | None) -> dict[str, Any]:
    return {
        "name": card.name,
        "style": card.style,
        "split": card.is_split,
        "scroll": card.scroll_height_px or 0,
        "parts": [_part(part) for part in card.parts],
        "tabs": [
            {
                "name": tab.name,
                "label": tab.label,
                "parts": [_part(part) for part in tab.parts] if shown is None or shown[card.name] == tab.name else [],
            }
            for tab in card.tabs
        ],
    }


def _part(part: Part) -> dict[str, Any]:
    match part:
        case Chart():
            return {"figure": part.figure_json, "label": part.label, "height": part.height_px}
        case WorldMap():
            return {"countries": part.countries, "label": part.label}
        case html:
            return {"html": html}
