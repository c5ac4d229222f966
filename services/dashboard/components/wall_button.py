"""The button that leads into wall mode (Streamlit edge)."""

from collections.abc import Callable
from typing import Any, Final

import streamlit as st

from services.dashboard.components.script import Script, joined

PARAMETER = "wall"
"""Of the page's address; `1` is wall mode."""

SCRIPT: Final = Script("wall-button", joined("history", "wall_button"))

Show = Callable[[], None]


def register() -> Show:
    """Register the button with Streamlit, once per app run; returns the function that shows it.

    A press asks the browser for the full screen, which only a press may, and runs the page again with the new address.
    """
    element: Any = st.components.v2.component("clickpulse_wall_button", js=SCRIPT.loader, isolate_styles=False)

    def show() -> None:
        element(key="wall-button", width="content", default={"entered": None}, on_entered_change=_run_again)

    return show


def _run_again() -> None:
    """Nothing: the run that follows reads the address."""
