"""A whole page as one Streamlit element that is updated in place (Streamlit edge).

One element, because each costs the server half a millisecond per viewer and refresh, and because Streamlit sends an
element again even if nothing on it changed. This one sends what changed since the viewer's last refresh.
"""

import json
from collections.abc import Callable
from typing import Any, Final

import streamlit as st

from services.dashboard.components import strip
from services.dashboard.components.plot import PLOTLY_ADDRESS, WORLD_ADDRESS, script
from services.dashboard.kit.cards.edition import Edition


class Viewer:
    """An open page, and the edition that it was sent last. A full run makes a new one, so that all is sent again."""

    def __init__(self) -> None:
        self._sent: Edition | None = None

    def message(self, edition: Edition) -> bytes:
        """What the page needs to show `edition`."""
        message, self._sent = edition.since(self._sent), edition
        return message

    def forget(self) -> None:
        """The page lacks what it was sent: Streamlit drops messages of interrupted runs."""
        self._sent = None


Draw = Callable[[Edition, Viewer], None]


def register() -> Draw:
    """Register the element with Streamlit, once per app run; returns the function that shows an edition to a viewer."""
    addresses = f"const PLOTLY = {json.dumps(PLOTLY_ADDRESS)}, WORLD = {json.dumps(WORLD_ADDRESS)}\n"
    js = addresses + strip.script() + script("history.js", "figure.js", "world_map.js", "board.js")
    element: Any = st.components.v2.component("board", js=js, isolate_styles=False)

    def draw(edition: Edition, viewer: Viewer) -> None:
        element(
            data=viewer.message(edition),
            key=_KEY,
            height="content",
            default={"lost": None},
            on_lost_change=viewer.forget,
        )

    return draw


_KEY: Final = "board-page"
