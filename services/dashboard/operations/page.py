"""The operations page (Streamlit edge): one fragment that runs every refresh; nothing but its figures changes."""

import time
from functools import lru_cache
from pathlib import Path
from typing import Final

import streamlit as st

from services.dashboard.kit import theme
from services.dashboard.kit.navigation import Navigation
from services.dashboard.kit.time_zones import Clock, clock_of
from services.dashboard.operations import board as status_board
from services.dashboard.operations.board import Board, Panels
from services.dashboard.sources.observations import StatusObservation
from services.dashboard.sources.status_source import StatusSource

_STYLE_FILE: Final = Path(__file__).with_name("operations.css")


def show(reader: StatusSource, address: str, refresh_seconds: float, navigation: Navigation) -> None:
    """Show the page to this viewer and keep it current."""
    st.html(f"<style>{theme.stylesheet()}{theme.stylesheet(_STYLE_FILE)}</style>")
    st.fragment(_refresh, run_every=refresh_seconds)(reader, address, navigation)


def _refresh(reader: StatusSource, address: str, navigation: Navigation) -> None:
    st.html(f"<style>{theme.variables(theme.palette_of(st.context.theme.type))}</style>")
    with st.container(key="topbar", horizontal=True):
        navigation()
    drawn = _drawn(reader.observe(), address, time.time_ns() // 1_000_000_000, clock_of(st.context.timezone))
    st.html(drawn.strip)
    if isinstance(drawn.content, Panels):
        _show_panels(drawn.content)
    else:
        st.html(drawn.content)


@lru_cache(maxsize=32)  # a board for each of that many zones
def _drawn(observation: StatusObservation, address: str, now_s: int, clock: Clock) -> Board:
    # An observation is compared by identity, so this holds as long as the reader gives the same one out.
    return status_board.draw(observation, address, now_s * 1000, clock)


def _show_panels(panels: Panels) -> None:
    st.html(panels.key_figures)
    with st.container(key="board"):
        with st.container(key="card-replicas"):
            st.html(panels.replicas)
        with st.container(key="card-partitions"):
            st.html(panels.partitions)
        with st.container(key="card-letters"):
            st.html(panels.dead_letters)
        with st.container(key="card-transitions"):
            st.html(panels.transitions_head)
            with st.container(key="scroll-transitions"):
                st.html(panels.transitions)
