"""The Sales page (Streamlit edge): one fragment with one element, run at every refresh."""

import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import streamlit as st

from services.dashboard.components.board import Draw, Viewer
from services.dashboard.kit import theme
from services.dashboard.kit.cards.card import Context
from services.dashboard.kit.cards.edition import Edition
from services.dashboard.kit.cards.encoding import encoded
from services.dashboard.kit.category_colours import CategoryColours
from services.dashboard.kit.navigation import Navigation
from services.dashboard.kit.time_zones import Clock, clock_of
from services.dashboard.sales import board
from services.dashboard.sales.snapshot import Snapshot
from services.dashboard.sales.strip import reports_of
from services.dashboard.sources.history.sales_source import SalesSource
from services.dashboard.sources.observations import (
    Observation,
    Sold,
    SoldObservation,
    StatusObservation,
    snapshot_of,
)
from services.dashboard.sources.rollup_source import RollupSource
from services.dashboard.sources.status_source import StatusSource

_STYLE_FILE: Final = Path(__file__).with_name("sales.css")


@dataclass(frozen=True, slots=True)
class Sources:
    """What the page reads: history, and from Redis the site, the titles of products and the reports of history."""

    sales: SalesSource
    rollups: RollupSource
    status: StatusSource
    address: str  # of history


def show(
    sources: Sources | None, colours: CategoryColours, draw: Draw, refresh_seconds: float, navigation: Navigation
) -> None:
    """Show the page to this viewer and keep it current; None: history is off."""
    palette = theme.palette_of(st.context.theme.type)
    st.html(f"<style>{theme.stylesheet(_STYLE_FILE)}</style>")
    st.html(f"<style>{theme.variables(palette)}</style>")
    with st.container(key="topbar", horizontal=True):
        navigation()
    if sources is None:
        st.html(board.OFF)
        return
    st.fragment(_refresh, run_every=refresh_seconds)(sources, colours, draw, Viewer(), palette.mode, refresh_seconds)


def _refresh(
    sources: Sources,
    colours: CategoryColours,
    draw: Draw,
    viewer: Viewer,
    mode_shown: theme.Mode,
    refresh_seconds: float,
) -> None:
    mode = theme.palette_of(st.context.theme.type).mode
    if mode != mode_shown:
        st.rerun()  # the browser switched its colour mode, which the whole page follows
    now_s = time.time_ns() // 1_000_000_000
    clock = clock_of(st.context.timezone)
    rollup = sources.rollups.observe("all")
    snapshot = snapshot_of(rollup)
    if snapshot is None:
        # Without its site, one would see the sales of all.
        draw(Edition(encoded(board.WAITING, clock.named_time(now_s * 1000), refresh_seconds)), viewer)
        return
    sold = sources.sales.observe(clock.zone, snapshot.meta.site or None)
    status = sources.status.observe()
    draw(_edition(sold, rollup, status, colours, sources.address, now_s, mode, clock, refresh_seconds), viewer)


@lru_cache(maxsize=32)  # viewers of the same zone and colour mode share an edition
def _edition(
    sold: SoldObservation,
    rollup: Observation,
    status: StatusObservation,
    colours: CategoryColours,
    address: str,
    now_s: int,
    mode: theme.Mode,
    clock: Clock,
    refresh_seconds: float,
) -> Edition:
    # Observations compare by identity, so this holds while the sources return the same ones.
    now_ms = now_s * 1000
    day = sold.day if isinstance(sold, Sold) else sold.last
    known = snapshot_of(rollup)
    snapshot = None if day is None else Snapshot(day, known.products_info if known else {})
    context = Context(
        palette=theme.palette_of(mode),
        now_ms=now_ms,
        clock=clock,
        category_colours=colours.of(snapshot.categories) if snapshot else {},
    )
    drawn = board.draw(sold, snapshot, reports_of(status, now_ms), address, context)
    return Edition(encoded(drawn, clock.named_time(now_ms), refresh_seconds))
