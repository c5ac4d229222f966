"""A board as the JSON that `board.js` reads. Pure."""

from typing import Any

import msgspec

from services.dashboard.kit.cards.board import Board
from services.dashboard.kit.cards.card import Card, Part
from services.dashboard.kit.cards.chart import Chart
from services.dashboard.kit.cards.world_map import WorldMap


def encoded(board: Board, at: str, refresh_seconds: float) -> bytes:
    """The board as JSON, drawn `at` a time in words; the next one comes `refresh_seconds` later.

    `strip`, `figures` and `notice` are HTML. `at` and `refresh_s` are for the strip, which ages in the browser. `cards`
    are `{name, style, split, scroll, parts}`, a part being `{html}`, a chart or a map. `scroll` is the height in px of
    what is below the head, 0 if it does not scroll.
    """
    return msgspec.json.encode(
        {
            "strip": board.strip,
            "at": at,
            "refresh_s": refresh_seconds,
            "figures": board.key_figures,
            "cards": [_card(card) for card in board.cards],
            "notice": board.notice,
        }
    )


def _card(card: Card) -> dict[str, Any]:
    return {
        "name": card.name,
        "style": card.style,
        "split": card.is_split,
        "scroll": card.scroll_height_px or 0,
        "parts": [_part(part) for part in card.parts],
    }


def _part(part: Part) -> dict[str, Any]:
    match part:
        case Chart():
            return {"figure": part.figure_json, "label": part.label, "height": part.height_px}
        case WorldMap():
            return {"countries": part.countries, "label": part.label}
        case html:
            return {"html": html}
