"""The status strip that ages in the browser (Streamlit edge)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import streamlit as st

from services.dashboard.kit.freshness import STALE_AFTER_SECONDS

_FOLDER: Final = Path(__file__).parent


def script() -> str:
    """The JavaScript that draws and ages a strip."""
    patch, standing = ((_FOLDER / name).read_text(encoding="utf-8") for name in ("patch.js", "standing.js"))
    return f"const STALE_AFTER_MS = {round(1000 * STALE_AFTER_SECONDS)}\n{patch}\n{standing}"


def register() -> Callable[..., None]:
    """Register the strip with Streamlit, once per app run; returns `show(html, at, refresh_seconds)`.

    `at` is the time the page was drawn at, in the viewer's zone. The element ages from its arrival in the browser until
    the next one: a page that is paused (0 `refresh_seconds`), disconnected or not answered says so.
    """
    history, own = ((_FOLDER / name).read_text(encoding="utf-8") for name in ("history.js", "strip.js"))
    js = f"{history}\n{script()}\n{own}"
    element: Any = st.components.v2.component("clickpulse_strip", js=js, isolate_styles=False)

    def show(html: str, *, at: str, refresh_seconds: float) -> None:
        element(data={"strip": html, "at": at, "refresh_s": refresh_seconds}, key="strip", height="content")

    return show
