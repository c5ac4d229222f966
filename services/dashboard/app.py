"""The Streamlit app: settings, the sources all viewers share, and the pages. `clickpulse dashboard` runs it."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import streamlit as st

from services.dashboard.components import board, history, picks, plot, strip, wall_button
from services.dashboard.explore import page as explore
from services.dashboard.explore.elements import Elements
from services.dashboard.explore.long_windows.answers import Said
from services.dashboard.kit import navigation, theme
from services.dashboard.kit.category_colours import CategoryColours
from services.dashboard.kit.notice import notice
from services.dashboard.live import page as live
from services.dashboard.live.page_cache import PageCache
from services.dashboard.operations import page as operations
from services.dashboard.sales import page as sales
from services.dashboard.settings import DashboardSettings
from services.dashboard.sign_in import access
from services.dashboard.sign_in.access import Access
from services.dashboard.sign_in.gate.documents import account_of
from services.dashboard.sign_in.secret_files import signing_key
from services.dashboard.sources.failing_parts import failing_parts
from services.dashboard.sources.history.answers import HistoryAnswers
from services.dashboard.sources.history.last_week_source import LastWeekSource
from services.dashboard.sources.history.sales_source import SalesSource
from services.dashboard.sources.observations import FailingPart
from services.dashboard.sources.rollup_source import RollupSource
from services.dashboard.sources.segment_source import SegmentSource
from services.dashboard.sources.status_source import StatusSource
from services.dashboard.sources.visitor_names import VisitorNames
from services.dashboard.web.page_document import EXPLORE, OPERATIONS, SALES
from shared.runtime.redis_client import connect, redis_address
from shared.runtime.settings import read_settings

if TYPE_CHECKING:
    from services.dashboard.sources.history.client import HistoryClient

# For an answer. Sales asks each second for what takes milliseconds: one that takes longer is none.
_SALES_SECONDS: Final = 10.0
# Of one reply. Ours take a few hundred kilobytes.
_MOST_STATUS_BYTES: Final = 4 * 1024 * 1024
_MOST_ROLLUP_BYTES: Final = 32 * 1024 * 1024


@st.cache_resource(show_spinner=False)
def _settings() -> DashboardSettings:
    return read_settings(DashboardSettings)


# The sources of each site, by the prefix of its keys.


@st.cache_resource(show_spinner=False)
def _rollups(prefix: str) -> RollupSource:
    settings = _settings()
    return RollupSource(
        connect(settings.redis_url, most_reply_bytes=_MOST_ROLLUP_BYTES),
        prefix,
        now_ms=_now_ms,
        elapsed_seconds=time.monotonic,
        names=VisitorNames(signing_key(settings.dashboard_secret_file)),
        failing=lambda: _failing(prefix),
    )


def _failing(prefix: str) -> tuple[FailingPart, ...]:
    """What keeps clicks from the numbers: under a prefix of its own, a site has an aggregate and no enrich."""
    own = failing_parts(_status(prefix).observe(), _now_ms())
    shared_prefix = _settings().redis_prefix
    if prefix == shared_prefix:
        return own
    shared = failing_parts(_status(shared_prefix).observe(), _now_ms())
    return own + tuple(part for part in shared if part.service != "aggregate")


@st.cache_resource(show_spinner=False)
def _segments(prefix: str) -> SegmentSource:
    return SegmentSource(connect(_settings().redis_url), prefix, now_ms=_now_ms, elapsed_seconds=time.monotonic)


@st.cache_resource(show_spinner=False)
def _status(prefix: str) -> StatusSource:
    source = StatusSource(
        connect(_settings().redis_url, most_reply_bytes=_MOST_STATUS_BYTES),
        prefix,
        now_ms=_now_ms,
        elapsed_seconds=time.monotonic,
    )
    source.keep_watching()
    return source


@st.cache_resource(show_spinner=False)
def _history() -> "HistoryClient":
    # Imported here because it takes a quarter of a second, which the other pages need not wait for.
    from services.dashboard.sources.history.client import HistoryClient, longest_answer_seconds

    settings = _settings()
    seconds = longest_answer_seconds(settings.history_api_seconds)
    return HistoryClient(settings.history_api_url, settings.history_api_key, seconds)


@st.cache_resource(show_spinner=False)
def _history_for_sales() -> "HistoryClient":
    from services.dashboard.sources.history.client import HistoryClient

    settings = _settings()
    return HistoryClient(settings.history_api_url, settings.history_api_key, _SALES_SECONDS)


@st.cache_resource(show_spinner=False)
def _sales_source() -> SalesSource:
    return SalesSource(_history_for_sales(), now_ms=_now_ms, elapsed_seconds=time.monotonic)


@st.cache_resource(show_spinner=False)
def _history_answers() -> HistoryAnswers[Said] | None:
    """None if no history is configured."""
    if not _settings().has_history:
        return None
    decode = msgspec.json.Decoder(Said).decode
    return HistoryAnswers(lambda question: _history().ask(question), decode, time.monotonic)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@st.cache_resource(show_spinner=False)
def _category_colours() -> CategoryColours:
    return CategoryColours()


@st.cache_resource(show_spinner=False)
def _last_week() -> LastWeekSource:
    return LastWeekSource(lambda question: _history().ask(question), time.monotonic)


@st.cache_resource(show_spinner=False)
def _live_pages(prefix: str) -> PageCache:  # noqa: ARG001 - one for each
    settings = _settings()
    address = redis_address(settings.redis_url)
    if not settings.has_history:
        return PageCache(address, _category_colours(), settings.refresh_seconds)
    return PageCache(address, _category_colours(), settings.refresh_seconds, _last_week().of)


def _live() -> None:
    seconds, into_wall = _settings().refresh_seconds, wall_button.register()
    live.show(
        _rollups(_prefix), _live_pages(_prefix), board.register(), into_wall, seconds, _draw_navigation, _access.role
    )


def _explore() -> None:
    address = redis_address(_settings().redis_url)
    elements = Elements(plot.register(), *picks.register(), strip.register())
    explore.show(
        _rollups(_prefix),
        _segments(_prefix),
        _history_answers(),
        elements,
        _category_colours(),
        address,
        _draw_navigation,
        _access.role,
    )


def _sales() -> None:
    settings = _settings()
    sources = None
    if settings.has_history:
        # History works for all sites and reports under the prefix of the services that do.
        status = _status(settings.redis_prefix)
        sources = sales.Sources(_sales_source(), _rollups(_prefix), status, settings.history_api_url)
    sales.show(sources, _category_colours(), board.register(), settings.refresh_seconds, _draw_navigation)


def _operations() -> None:
    settings = _settings()
    address = redis_address(settings.redis_url)
    operations.show(_status(_prefix), board.register(), address, settings.refresh_seconds, _draw_navigation)


def _draw_navigation() -> None:
    has_history = _settings().has_history
    shown = [page for page in _PAGES if _access.may_see(page.url_path) and (has_history or page.url_path != SALES)]
    account = account_of(_access) if _settings().has_sign_in else ""
    navigation.show(shown, _here, account, [site.label for site in _sites])


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
_sites = _access.sites(_settings().sites)
# In the order of the top bar. A page is a function above, a line here and a path in `page_document`.
_PAGES = [
    st.Page(_live, title="Live", url_path="live", default=True),
    st.Page(_explore, title="Explore", url_path=EXPLORE),
    st.Page(_sales, title="Sales", url_path=SALES),
    st.Page(_operations, title="Operations", url_path=OPERATIONS),
]
_here = st.navigation(_PAGES, position="hidden")
history.restore_choices()
# Here too, because a session can ask for another page without any request that the gate sees.
if _access.may_see(_here.url_path) and _sites:
    _chosen = navigation.site_of([site.label for site in _sites], is_back=history.is_navigation())
    _prefix = next(site.prefix for site in _sites if site.label == _chosen)
    _status(_prefix)  # watches from the first viewer of any page
    _here.run()
else:
    st.html(f"<style>{theme.variables(theme.palette_of(st.context.theme.type))}</style>{_NOT_SHARED}")
