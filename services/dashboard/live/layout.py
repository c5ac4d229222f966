"""The live page as it goes to the browser: a board's panels put into cards, encoded. Pure.

One page serves every viewer of an audience, a colour mode and a time zone in the same second, so it is compressed once
for all: what a viewer costs then is sending a few kilobytes. `board.js` is the other side.
"""

import zlib
from typing import Any, Final

import msgspec

from services.dashboard.kit.cards.chart import Chart
from services.dashboard.kit.cards.world_map import WorldMap
from services.dashboard.live.board import Board, Panels

_TITLE: Final = '<h1 class="spoken">Live</h1>'
_COMPRESSION: Final = 3  # a higher level takes twice as long and saves a tenth

Page = dict[str, Any]
"""`strip`, `figures` and `notice` are HTML; `cards` are `{name, parts}`, a part being `{html}`, a chart or a map."""


def encoded(board: Board) -> bytes:
    """The board as zlib-compressed JSON of a Page."""
    return zlib.compress(msgspec.json.encode(page(board)), _COMPRESSION)


def page(board: Board) -> Page:
    """The board's cards in their order on the page, or its notice and no card."""
    match board.content:
        case Panels() as panels:
            return {"strip": board.strip, "figures": _TITLE + panels.key_figures, "cards": _cards(panels), "notice": ""}
        case notice:
            return {"strip": board.strip, "figures": "", "cards": [], "notice": notice}


def _cards(panels: Panels) -> list[dict[str, Any]]:
    return [
        _card("visits", panels.visits_head, panels.visits),
        _card("sessions", panels.sessions_head, panels.sessions),
        _card("pages", panels.pages),
        _card("devices", panels.devices_head, panels.devices, panels.devices_legend),
        _card("categories", panels.categories_head, panels.categories),
        _card("paths", panels.paths),
        _card("countries", panels.countries_head, panels.world, panels.countries),
        _card("visitors", panels.visitors),
        _card("log", panels.log),
        _card("raw", panels.raw_head, panels.raw),
    ]


def _card(name: str, *parts: str | Chart | WorldMap) -> dict[str, Any]:
    return {"name": name, "parts": [_part(part) for part in parts]}


def _part(part: str | Chart | WorldMap) -> dict[str, Any]:
    match part:
        case Chart():
            return {"figure": part.figure_json, "label": part.label, "height": part.height_px}
        case WorldMap():
            return {"countries": part.countries, "label": part.label}
        case html:
            return {"html": html}
