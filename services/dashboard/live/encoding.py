"""The live page in the form the browser gets: a board as compressed JSON; `board.js` reads it. Pure.

One encoded page serves every viewer of an audience, a colour mode and a time zone in the same second, so each viewer
costs only the sending of a few kilobytes.
"""

import zlib
from typing import Any, Final

import msgspec

from services.dashboard.kit.cards.board import Board
from services.dashboard.kit.cards.card import Card, Part
from services.dashboard.kit.cards.chart import Chart
from services.dashboard.kit.cards.world_map import WorldMap

_COMPRESSION: Final = 3  # a higher level takes twice as long and saves a tenth


def encoded(board: Board, at: str, refresh_seconds: float) -> bytes:
    """The board as zlib-compressed JSON, drawn `at` a time in words; the next one comes `refresh_seconds` later.

    `strip`, `figures` and `notice` are HTML. `at` and `refresh_s` are for the strip, which ages in the browser. `cards`
    are `{name, style, split, parts}`, a part being `{html}`, a chart or a map.
    """
    page = {
        "strip": board.strip,
        "at": at,
        "refresh_s": refresh_seconds,
        "figures": board.key_figures,
        "cards": [_card(card) for card in board.cards],
        "notice": board.notice,
    }
    return zlib.compress(msgspec.json.encode(page), _COMPRESSION)


def _card(card: Card) -> dict[str, Any]:
    parts = [_part(part) for part in card.parts]
    return {"name": card.name, "style": card.style, "split": card.is_split, "parts": parts}


def _part(part: Part) -> dict[str, Any]:
    match part:
        case Chart():
            return {"figure": part.figure_json, "label": part.label, "height": part.height_px}
        case WorldMap():
            return {"countries": part.countries, "label": part.label}
        case html:
            return {"html": html}
