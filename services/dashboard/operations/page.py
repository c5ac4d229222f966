"""The Operations page (Streamlit edge): one fragment that runs every refresh and replaces only its numbers."""

import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Final

import streamlit as st

from services.dashboard.kit import theme
from services.dashboard.kit.cards.board import Board
from services.dashboard.kit.cards.card import Card, Context, container_rules
from services.dashboard.kit.navigation import Navigation
from services.dashboard.kit.time_zones import Clock, clock_of
from services.dashboard.operations import board
from services.dashboard.sources.observations import StatusObservation
from services.dashboard.sources.status_source import StatusSource

_STYLE_FILE: Final = Path(__file__).with_name("operations.css")


def show(
    source: StatusSource,
    address: str,
    strip: Callable[..., None],
    refresh_seconds: float,
    navigation: Navigation,
) -> None:
    """Show the page to this viewer and keep it current."""
    st.html(f"<style>{theme.stylesheet()}{theme.stylesheet(_STYLE_FILE)}</style>")
    st.fragment(_refresh, run_every=refresh_seconds)(source, address, strip, refresh_seconds, navigation)


def _refresh(
    source: StatusSource,
    address: str,
    strip: Callable[..., None],
    refresh_seconds: float,
    navigation: Navigation,
) -> None:
    mode = theme.palette_of(st.context.theme.type).mode
    now_s, clock = time.time_ns() // 1_000_000_000, clock_of(st.context.timezone)
    drawn = _drawn(source.observe(), address, now_s, mode, clock)
    st.html(f"<style>{theme.variables(theme.palette_of(mode))}{container_rules(drawn.cards)}</style>")
    with st.container(key="topbar", horizontal=True):
        navigation()
    strip(drawn.strip, at=clock.named_time(now_s * 1000), refresh_seconds=refresh_seconds)
    if drawn.notice:
        st.html(drawn.notice)
        return
    st.html(drawn.key_figures)
    with st.container(key="board"):
        for card in drawn.cards:
            with st.container(key=f"card-{card.name}"):
                _show(card)


@lru_cache(maxsize=32)  # viewers of the same zone and colour mode share a board
def _drawn(observation: StatusObservation, address: str, now_s: int, mode: theme.Mode, clock: Clock) -> Board:
    # Observations compare by identity, so this holds while the source returns the same one.
    return board.draw(observation, address, Context(palette=theme.palette_of(mode), now_ms=now_s * 1000, clock=clock))


def _show(card: Card) -> None:
    title, *rest = card.parts
    st.html(title)
    if card.scroll_height_px is None:
        for part in rest:
            st.html(part)
    else:
        with st.container(key=f"scroll-{card.name}"):
            for part in rest:
                st.html(part)
