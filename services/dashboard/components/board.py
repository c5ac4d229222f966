"""A whole page as one Streamlit element that is updated in place (Streamlit edge).

One element, because each costs the server half a millisecond per viewer and refresh, and because Streamlit sends an
element again even if nothing on it changed. This one sends what changed since the viewer's last refresh.
"""

import json
from collections.abc import Callable
from typing import Any, Final

import streamlit as st

from services.dashboard.components import strip
from services.dashboard.components.plot import PLOTLY_ADDRESS, WORLD_ADDRESS
from services.dashboard.components.script import Script, joined
from services.dashboard.kit.cards.edition import Edition


class Viewer:
    """An open page, and the edition that it was sent last. A full run makes a new one, so that all is sent again."""

    def __init__(self) -> None:
        self._sent: Edition | None = None

    @property
    def has_nothing(self) -> bool:
        """Whether the page needs all of an edition."""
        return self._sent is None

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
    element: Any = st.components.v2.component("board", js=SCRIPT.loader, isolate_styles=False)

    def draw(edition: Edition, viewer: Viewer) -> None:
        element(
            data=viewer.message(edition),
            key=_KEY,
            height="content",
            default={"lost": None, "asked": None},
            on_lost_change=viewer.forget,
            on_asked_change=_run_again,
        )

    return draw


def _run_again() -> None:
    """Nothing: the run that follows is what the browser asked for."""


def script_of(plotly: str, world: str) -> str:
    """What the element does, with plotly.js and the map's shapes at these addresses."""
    addresses = f"const PLOTLY = {json.dumps(plotly)}, WORLD = {json.dumps(world)}\n"
    return addresses + strip.parts() + joined(*_FILES)


_FILES: Final = ("figure", "world_map", "tabs", "tab_title", "background", "wall", "board")
SCRIPT: Final = Script("board", joined("history") + script_of(PLOTLY_ADDRESS, WORLD_ADDRESS))
_KEY: Final = "board-page"
