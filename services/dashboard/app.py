"""The Streamlit app: settings, the sources all viewers share, and the pages. `clickpulse dashboard` runs it."""

import time
from pathlib import Path
from typing import Final

import streamlit as st

from services.dashboard.components import picks, plot
from services.dashboard.explore import page as explore
from services.dashboard.kit import navigation
from services.dashboard.kit.category_colours import CategoryColours
from services.dashboard.live import page as live
from services.dashboard.live.page_cache import PageCache
from services.dashboard.operations import page as operations
from services.dashboard.settings import DashboardSettings
from services.dashboard.sources.rollup_source import RollupSource
from services.dashboard.sources.segment_source import SegmentSource
from services.dashboard.sources.status_source import StatusSource
from services.dashboard.web.page_document import EXPLORE, OPERATIONS
from shared.runtime.redis_client import connect, redis_address
from shared.runtime.settings import read_settings

_MOST_STATUS_BYTES: Final = 16 * 1024 * 1024
_MOST_ROLLUP_BYTES: Final = 32 * 1024 * 1024
"""Of one reply. Ours take a few hundred kilobytes."""


@st.cache_resource(show_spinner=False)
def _settings() -> DashboardSettings:
    return read_settings(DashboardSettings)


@st.cache_resource(show_spinner=False)
def _rollups() -> RollupSource:
    settings = _settings()
    return RollupSource(
        connect(settings.redis_url, most_reply_bytes=_MOST_ROLLUP_BYTES),
        settings.redis_prefix,
        now_ms=_now_ms,
        elapsed_seconds=time.monotonic,
    )


@st.cache_resource(show_spinner=False)
def _segments() -> SegmentSource:
    settings = _settings()
    return SegmentSource(
        connect(settings.redis_url), settings.redis_prefix, now_ms=_now_ms, elapsed_seconds=time.monotonic
    )


@st.cache_resource(show_spinner=False)
def _status() -> StatusSource:
    settings = _settings()
    source = StatusSource(
        connect(settings.redis_url, most_reply_bytes=_MOST_STATUS_BYTES),
        settings.redis_prefix,
        now_ms=_now_ms,
        elapsed_seconds=time.monotonic,
    )
    source.keep_watching()
    return source


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@st.cache_resource(show_spinner=False)
def _category_colours() -> CategoryColours:
    return CategoryColours()


@st.cache_resource(show_spinner=False)
def _live_pages() -> PageCache:
    return PageCache(redis_address(_settings().redis_url), _category_colours())


def _live() -> None:
    live.show(_rollups(), _live_pages(), plot.register_page(), _settings().refresh_seconds, _draw_navigation)


def _explore() -> None:
    address = redis_address(_settings().redis_url)
    elements = explore.Elements(plot.register(), *picks.register())
    explore.show(_rollups(), _segments(), elements, _category_colours(), address, _draw_navigation)


def _operations() -> None:
    settings = _settings()
    operations.show(_status(), redis_address(settings.redis_url), settings.refresh_seconds, _draw_navigation)


def _draw_navigation() -> None:
    navigation.show(_PAGES, _here)


st.set_page_config(
    page_title="Clickpulse", page_icon=Path(__file__).with_name("favicon.svg"), layout="wide", menu_items={}
)
_status()  # watches from the first viewer of any page
# In the order of the top bar. A page is a function above, a line here and a path in `page_document`.
_PAGES = [
    st.Page(_live, title="Live", url_path="live", default=True),
    st.Page(_explore, title="Explore", url_path=EXPLORE),
    st.Page(_operations, title="Operations", url_path=OPERATIONS),
]
_here = st.navigation(_PAGES, position="hidden")
_here.run()
