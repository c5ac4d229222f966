"""The operations page (Streamlit edge): one fragment that runs every refresh; nothing but its figures changes."""

import time
from functools import lru_cache

import streamlit as st

from services.dashboard import status_board, theme
from services.dashboard.clocks import Clock, clock_of
from services.dashboard.status_board import Board, Panels
from services.dashboard.status_reader import StatusObservation, StatusReader
from services.dashboard.views.navigation import Navigation


def show(reader: StatusReader, address: str, refresh_seconds: float, navigation: Navigation) -> None:
    """Show the page to this viewer and keep it current."""
    st.html(f"<style>{theme.stylesheet()}{theme.stylesheet('operations.css')}</style>")
    st.fragment(_refresh, run_every=refresh_seconds)(reader, address, navigation)


def _refresh(reader: StatusReader, address: str, navigation: Navigation) -> None:
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
