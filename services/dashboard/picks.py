"""HTML whose buttons tell the page what was picked, and the slider over minutes (Streamlit edge)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import streamlit as st

_FOLDER: Final = Path(__file__).parent

Picked = Callable[[object], None]
"""Called before the run that follows, with what the browser sent; a stranger may send anything."""


def register() -> tuple[Callable[..., None], Callable[..., None]]:
    """Make both known to Streamlit, once a run of the app.

    Returns `show(html, key, on_pick)`, whose HTML has buttons with a `data-pick`; and
    `scrub(first, last, at, bars, key, on_move)`: three minutes, the last of them the one that is looked at (None: the
    newest), and the heights of the curve, 0 to 1.
    """
    html_element = _element("picks")
    slider_element = _element("scrubber")

    def show(html: str, *, key: str, on_pick: Picked) -> None:
        html_element(
            data={"html": html}, key=key, on_picked_change=lambda: on_pick(st.session_state[key].get("picked"))
        )

    def scrub(first: int, last: int, at: int | None, bars: list[float], *, key: str, on_move: Picked) -> None:
        slider_element(
            data={"first": first, "last": last, "at": at, "bars": bars},
            key=key,
            on_moved_change=lambda: on_move(st.session_state[key].get("moved")),
        )

    return show, scrub


def _element(name: str) -> Any:
    script = (_FOLDER / f"{name}.js").read_text(encoding="utf-8")
    return st.components.v2.component(f"clickpulse_{name}", js=script, isolate_styles=False)
