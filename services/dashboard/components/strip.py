"""The status strip that ages in the browser (Streamlit edge)."""

from collections.abc import Callable
from typing import Any, Final

import streamlit as st

from services.dashboard.components.script import Script, joined
from services.dashboard.kit.freshness import STALE_AFTER_SECONDS


def parts() -> str:
    """The JavaScript that draws and ages a strip."""
    return f"const STALE_AFTER_MS = {round(1000 * STALE_AFTER_SECONDS)}\n{joined('patch', 'standing')}\n"


SCRIPT: Final = Script("strip", joined("history") + parts() + joined("strip"))


def register() -> Callable[..., None]:
    """Register the strip with Streamlit, once per app run; returns `show(html, at, refresh_seconds)`.

    `at` is the time the page was drawn at, in the viewer's zone. The element ages from its arrival in the browser until
    the next one: a page that is paused (0 `refresh_seconds`), disconnected or not answered says so.
    """
    element: Any = st.components.v2.component("clickpulse_strip", js=SCRIPT.loader, isolate_styles=False)

    def show(html: str, *, at: str, refresh_seconds: float) -> None:
        element(data={"strip": html, "at": at, "refresh_s": refresh_seconds}, key="strip", height="content")

    return show
