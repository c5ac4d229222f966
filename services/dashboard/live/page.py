"""The Live page (Streamlit edge): one fragment with one element, run at every refresh."""

import time
from typing import Final, get_args

import streamlit as st

from services.dashboard.components import wall_button
from services.dashboard.components.board import Draw, Viewer
from services.dashboard.kit import theme
from services.dashboard.kit.navigation import Navigation
from services.dashboard.live.page_cache import PageCache
from services.dashboard.sign_in.access import Role
from services.dashboard.sources.rollup_source import RollupSource
from shared.rollups.model import Audience

_AUDIENCES: Final[dict[Audience, str]] = {"all": "All", "human": "Humans", "bot": "Bots"}
_EVERYONE: Final[Audience] = "all"
assert set(_AUDIENCES) == set(get_args(Audience))


def show(
    rollups: RollupSource,
    pages: PageCache,
    draw: Draw,
    show_wall_button: wall_button.Show,
    refresh_seconds: float,
    navigation: Navigation,
    role: Role,
) -> None:
    """Show the page to this viewer and keep it current."""
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
        show_wall_button()
    st.fragment(_refresh, run_every=refresh_seconds)(rollups, pages, draw, Viewer(), audience, role, palette.mode)


def _refresh(
    rollups: RollupSource,
    pages: PageCache,
    draw: Draw,
    viewer: Viewer,
    audience: Audience,
    role: Role,
    mode_shown: theme.Mode,
) -> None:
    mode = theme.palette_of(st.context.theme.type).mode
    if mode != mode_shown:
        st.rerun()  # the browser switched its colour mode, which the whole page follows
    now_ms = time.time_ns() // 1_000_000
    is_wall = st.query_params.get(wall_button.PARAMETER) == "1"
    tabs = None if viewer.has_nothing else st.query_params.to_dict()  # a card's tab is under its name
    zone = st.context.timezone
    draw(pages.page(rollups.observe(audience), audience, role, mode, zone, now_ms, is_wall=is_wall, tabs=tabs), viewer)
