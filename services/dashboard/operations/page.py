"""The Operations page (Streamlit edge): one fragment with one element, run at every refresh."""

import time
from functools import lru_cache
from pathlib import Path
from typing import Final

import streamlit as st

from services.dashboard.components.board import Draw, Viewer
from services.dashboard.kit import theme
from services.dashboard.kit.cards.card import Context
from services.dashboard.kit.cards.edition import Edition
from services.dashboard.kit.cards.encoding import encoded
from services.dashboard.kit.navigation import Navigation
from services.dashboard.kit.time_zones import Clock, clock_of
from services.dashboard.operations import board
from services.dashboard.sources.observations import StatusObservation
from services.dashboard.sources.status_source import StatusSource

_STYLE_FILE: Final = Path(__file__).with_name("operations.css")


def show(source: StatusSource, draw: Draw, address: str, refresh_seconds: float, navigation: Navigation) -> None:
    """Show the page to this viewer and keep it current."""
    palette = theme.palette_of(st.context.theme.type)
    st.html(f"<style>{theme.stylesheet(_STYLE_FILE)}</style>")
    st.html(f"<style>{theme.variables(palette)}</style>")
    with st.container(key="topbar", horizontal=True):
        navigation()
    st.fragment(_refresh, run_every=refresh_seconds)(source, draw, Viewer(), address, palette.mode, refresh_seconds)


def _refresh(
    source: StatusSource,
    draw: Draw,
    viewer: Viewer,
    address: str,
    mode_shown: theme.Mode,
    refresh_seconds: float,
) -> None:
    mode = theme.palette_of(st.context.theme.type).mode
    if mode != mode_shown:
        st.rerun()  # the browser switched its colour mode, which the whole page follows
    now_s = time.time_ns() // 1_000_000_000
    draw(_edition(source.observe(), address, now_s, mode, clock_of(st.context.timezone), refresh_seconds), viewer)


@lru_cache(maxsize=32)  # viewers of the same zone and colour mode share an edition
def _edition(
    observation: StatusObservation, address: str, now_s: int, mode: theme.Mode, clock: Clock, refresh_seconds: float
) -> Edition:
    # Observations compare by identity, so this holds while the source returns the same one.
    context = Context(palette=theme.palette_of(mode), now_ms=now_s * 1000, clock=clock)
    drawn = board.draw(observation, address, context)
    return Edition(encoded(drawn, clock.named_time(context.now_ms), refresh_seconds))
