"""The Streamlit app: settings, the sources all viewers share, and the pages. `clickpulse dashboard` runs it."""

import time
from pathlib import Path
from typing import Final

import streamlit as st

from services.dashboard.components import board, history, picks, plot, strip
from services.dashboard.explore import page as explore
from services.dashboard.kit import navigation, theme
from services.dashboard.kit.category_colours import CategoryColours
from services.dashboard.kit.notice import notice
from services.dashboard.live import page as live
from services.dashboard.live.page_cache import PageCache
from services.dashboard.operations import page as operations
from services.dashboard.settings import DashboardSettings
from services.dashboard.sign_in import access
from services.dashboard.sign_in.access import Access
from services.dashboard.sign_in.gate.documents import account_of
from services.dashboard.sign_in.secret_files import signing_key
from services.dashboard.sources.failing_parts import failing_parts
from services.dashboard.sources.rollup_source import RollupSource
from services.dashboard.sources.segment_source import SegmentSource
from services.dashboard.sources.status_source import StatusSource
from services.dashboard.sources.visitor_names import VisitorNames
from services.dashboard.web.page_document import EXPLORE, OPERATIONS
from shared.runtime.redis_client import connect, redis_address
from shared.runtime.settings import read_settings

# Of one reply. Ours take a few hundred kilobytes.
_MOST_STATUS_BYTES: Final = 4 * 1024 * 1024
_MOST_ROLLUP_BYTES: Final = 32 * 1024 * 1024


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
        names=VisitorNames(signing_key(settings.dashboard_secret_file)),
        failing=lambda: failing_parts(_status().observe(), _now_ms()),
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
    settings = _settings()
    return PageCache(redis_address(settings.redis_url), _category_colours(), settings.refresh_seconds)


def _live() -> None:
    seconds = _settings().refresh_seconds
    live.show(_rollups(), _live_pages(), board.register(), seconds, _draw_navigation, _access.role)


def _explore() -> None:
    address = redis_address(_settings().redis_url)
    elements = explore.Elements(plot.register(), *picks.register(), strip.register())
    explore.show(_rollups(), _segments(), elements, _category_colours(), address, _draw_navigation, _access.role)


def _operations() -> None:
    settings = _settings()
    address = redis_address(settings.redis_url)
    operations.show(_status(), board.register(), address, settings.refresh_seconds, _draw_navigation)


def _draw_navigation() -> None:
    shown = [page for page in _PAGES if _access.may_see(page.url_path)]
    navigation.show(shown, _here, account_of(_access) if _settings().has_sign_in else "")


def _access_of_run() -> Access:
    """What this viewer may see. The gate says it at the start of the session, for which it stays the same."""
    if not _settings().has_sign_in:
        return access.EVERYTHING
    found = access.read_header(st.user.get(access.USER_KEY))
    if found is None:
        st.html(_NO_ACCESS)  # not reachable through the gate
        st.stop()
    return found


_NO_ACCESS: Final = notice("Sign in", 'Open the <a href="sign-in">sign-in page</a> to see the dashboard.')
_NOT_SHARED: Final = notice("Not shared", "The link that you opened shows another page only.")


st.set_page_config(
    page_title="Clickpulse", page_icon=Path(__file__).with_name("favicon.svg"), layout="wide", menu_items={}
)
_access = _access_of_run()
_status()  # watches from the first viewer of any page
# In the order of the top bar. A page is a function above, a line here and a path in `page_document`.
_PAGES = [
    st.Page(_live, title="Live", url_path="live", default=True),
    st.Page(_explore, title="Explore", url_path=EXPLORE),
    st.Page(_operations, title="Operations", url_path=OPERATIONS),
]
_here = st.navigation(_PAGES, position="hidden")
history.restore_choices()
# Here too, because a session can ask for another page without any request that the gate sees.
if _access.may_see(_here.url_path):
    _here.run()
else:
    st.html(f"<style>{theme.variables(theme.palette_of(st.context.theme.type))}</style>{_NOT_SHARED}")
