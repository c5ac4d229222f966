"""The live page (Streamlit edge): one fragment that runs every refresh, so that nothing but its numbers changes."""

import time
from collections.abc import Callable
from functools import lru_cache
from typing import Final, get_args

import streamlit as st

from services.dashboard import board, theme
from services.dashboard.board import Board, Chart, Panels
from services.dashboard.reader import Observation, Reader
from services.dashboard.views.navigation import Navigation
from shared.rollup_keys import Audience

Draw = Callable[..., None]

_AUDIENCES: Final[dict[Audience, str]] = {"all": "All", "human": "Humans", "bot": "Bots"}
_EVERYONE: Final[Audience] = "all"
assert set(_AUDIENCES) == set(get_args(Audience))


def show(reader: Reader, draw: Draw, address: str, refresh_seconds: float, navigation: Navigation) -> None:
    """Show the page to this viewer and keep it current."""
    st.html(f"<style>{theme.stylesheet()}</style>")
    st.fragment(_refresh, run_every=refresh_seconds)(reader, draw, address, navigation)


def _refresh(reader: Reader, draw: Draw, address: str, navigation: Navigation) -> None:
    palette = theme.palette_of(st.context.theme.type)
    st.html(f"<style>{theme.variables(palette)}</style>")
    with st.container(key="topbar", horizontal=True):
        navigation()
        audience: Audience = st.segmented_control(
            "Audience",
            list(_AUDIENCES),
            format_func=lambda audience: _AUDIENCES[audience],
            default=_EVERYONE,
            required=True,
            key="audience",
            bind="query-params",
            label_visibility="collapsed",
        )
    now_ms = time.time_ns() // 1_000_000
    drawn = _drawn(reader.observe(audience), audience, palette.mode, address, now_ms // 1000)
    st.html(drawn.strip)
    if isinstance(drawn.content, Panels):
        _show_panels(drawn.content, draw)
    else:
        st.html(drawn.content)


@lru_cache(maxsize=12)
def _drawn(observation: Observation, audience: Audience, mode: theme.Mode, address: str, now_s: int) -> Board:
    # An observation is compared by identity, so this holds as long as the reader gives the same one out.
    return board.draw(observation, audience, theme.palette_of(mode), address, now_s * 1000)


def _show_panels(panels: Panels, draw: Draw) -> None:
    def chart(key: str, drawn: Chart) -> None:
        draw(drawn.figure_json, label=drawn.label, key=f"chart-{key}", height=drawn.height_px)

    st.html(panels.key_figures)
    with st.container(key="board"):
        with st.container(key="card-visits"):
            st.html(panels.visits_head)
            chart("visits", panels.visits)
        with st.container(key="card-sessions"):
            st.html(panels.sessions_head)
            chart("sessions", panels.sessions)
        with st.container(key="card-pages"):
            st.html(panels.pages)
        with st.container(key="card-devices"):
            st.html(panels.devices_head)
            chart("devices", panels.devices)
            st.html(panels.devices_legend)
        with st.container(key="card-categories"):
            st.html(panels.categories_head)
            chart("categories", panels.categories)
        with st.container(key="card-paths"):
            st.html(panels.paths)
        with st.container(key="card-countries"):
            st.html(panels.countries)
        with st.container(key="card-visitors"):
            st.html(panels.visitors)
        with st.container(key="card-log"):
            st.html(panels.log)
        with st.container(key="card-raw"):
            st.html(panels.raw_head)
            with st.container(key="scroll-raw"):
                st.html(panels.raw)
