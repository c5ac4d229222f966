"""The Streamlit app: settings, the reader all viewers share, and the pages. `clickpulse dashboard` runs it."""

import time
from pathlib import Path

import streamlit as st

from services.dashboard import plot
from services.dashboard.pages import Pages
from services.dashboard.reader import Reader
from services.dashboard.settings import DashboardSettings
from services.dashboard.views import live
from shared.redis_client import connect, redis_address
from shared.settings import read_settings


@st.cache_resource(show_spinner=False)
def _settings() -> DashboardSettings:
    return read_settings(DashboardSettings)


@st.cache_resource(show_spinner=False)
def _reader() -> Reader:
    settings = _settings()
    return Reader(
        connect(settings.redis_url),
        settings.redis_prefix,
        now_ms=lambda: time.time_ns() // 1_000_000,
        elapsed_seconds=time.monotonic,
    )


@st.cache_resource(show_spinner=False)
def _pages() -> Pages:
    return Pages(redis_address(_settings().redis_url))


def _live() -> None:
    live.show(_reader(), _pages(), plot.register_page(), _settings().refresh_seconds)


st.set_page_config(
    page_title="Clickpulse", page_icon=Path(__file__).with_name("favicon.svg"), layout="wide", menu_items={}
)
st.navigation([st.Page(_live, title="Live", url_path="live", default=True)], position="hidden").run()
