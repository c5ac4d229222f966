"""The controls of the Explore page (Streamlit edge), each bound to the address."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import streamlit as st

from services.dashboard.components import history
from services.dashboard.explore.choices import (
    MEASURES,
    ROLLING,
    STEPS,
    WINDOWS,
    Choices,
    usual_breakdown,
    usual_density,
)
from services.dashboard.explore.columns import COLUMNS
from services.dashboard.explore.counting.selection import Filter
from services.dashboard.explore.counting.series import Measure
from services.dashboard.explore.long_windows.choices import (
    BREAKDOWNS,
    COMPARISONS,
    INTERVALS,
    LISTED,
    Bucket,
    Days,
    LongChoices,
    Window,
    intervals_of,
    read_days,
)
from services.dashboard.explore.long_windows.choices import WINDOWS as LONG_WINDOWS
from services.dashboard.explore.long_windows.measures import LABELS, LongMeasure
from services.dashboard.explore.long_windows.zoom import FINER, read_zoom
from services.dashboard.explore.widgets import address
from services.dashboard.kit.time_zones import Clock
from services.dashboard.sign_in.access import Role
from services.dashboard.sources.completed_minutes import CompletedMinutes
from shared.rollups.model import Audience

_AUDIENCES: Final[dict[Audience, str]] = {"all": "All", "human": "Humans", "bot": "Bots"}
_REFRESH: Final = {1: "1 s", 5: "5 s", 30: "30 s", 0: "Paused"}
_BACKLOGS: Final = {5: "5 min", 15: "15 min", 60: "1 h", 240: "4 h", 480: "8 h"}
_LONGEST_SEARCH: Final = 200
_ENDS: Final = (("From", "from"), ("To", "to"))
_INTERVALS: Final = "explore-intervals"
"""What the session keeps of the window before: the interval follows the window until the viewer chooses one."""

_SHOW: Final = "show"
_ZOOMED: Final = "explore-zoomed"
"""What the session keeps of the window that the viewer zoomed in."""

_PICKED: Final = "explore-picked"
_MOST_RUNS: Final = 5
"""That a pick lasts while the browser sends another filter: then it is the viewer's, not one of before."""

_SITE: Final = "site"
"""A filter that most dashboards, of one site, would not use."""


def refresh_seconds() -> int:
    """How often the page refreshes; 0 when paused."""
    seconds: int = _switch("Refresh every", _REFRESH, 1, "refresh")
    return seconds


def choices(
    minutes: CompletedMinutes, options_of: Callable[[str], list[str]], role: Role, clock: Clock
) -> Choices | LongChoices:
    """The choices above the cards; `options_of` returns the names that a filter offers.

    The window says where the page reads: a number of minutes is counted from the segments, a name is asked of history.
    """
    _apply_pick()
    short = {length: label for length, label in WINDOWS.items() if length <= _reach(minutes)}
    longer = {name: label for name, label in LONG_WINDOWS.items() if label not in short.values()}
    with st.container(key="choices", horizontal=True):
        audience = _switch("Audience", _AUDIENCES, "all", "audience")
        show = st.container(width="content")  # comes first, and depends on the window
        window: int | Window = _switch("Window", {**short, **longer}, 60, "window")
        with show:
            offered = MEASURES if isinstance(window, int) else LABELS  # the minutes have no sales
            if st.session_state.get(_SHOW, "views") not in offered:
                st.session_state[_SHOW] = "views"  # in the address too
            measure = _switch("Show", offered, "views", _SHOW)
        chosen = _minutes_of(window, measure) if isinstance(window, int) else _long_window(window, measure, clock)
    is_long = isinstance(chosen, LongChoices)
    with st.container(key="filters", horizontal=True):
        search = "" if is_long else _search(role)
        names = _chosen_names(options_of, is_long=is_long)
    return replace(chosen, wanted=Filter(audience, names, search, role == "analyst"))


def zoom_of(choices: LongChoices, clock: Clock) -> Bucket | None:
    """What the viewer zooms to, unless they have chosen another window since."""
    window = (choices.window, choices.interval, choices.days)
    if st.session_state.get(_ZOOMED, window) != window and not history.is_navigation():
        address.zoom(None)
    st.session_state[_ZOOMED] = window
    return read_zoom(address.kept(address.ZOOM), clock)


def _minutes_of(window: int, measure: Measure) -> Choices:
    steps = {step: label for step, label in STEPS.items() if step <= window}
    step = _switch("By", steps, 1, "by")
    spans = {span: label for span, label in ROLLING.items() if not 0 < span <= step}
    rolling = _switch("Rolling mean", spans, 0, "rolling")
    return Choices(window_minutes=window, step_minutes=step, measure=measure, rolling_minutes=rolling)


def pick(dimension: str, name: str) -> None:
    """Filter by that name alone, or no longer if it is the filter already; called before the run that follows."""
    names = [name]
    wanted = [] if st.session_state.get(dimension) == names else names
    st.session_state[_PICKED] = (dimension, wanted, _MOST_RUNS)


def _apply_pick() -> None:
    """Give a filter what was picked, until the browser agrees.

    A refresh that the browser asked for before it heard of the pick brings what the filter had.
    """
    picked: tuple[str, list[str], int] | None = st.session_state.get(_PICKED)
    if picked is None:
        return
    dimension, wanted, runs = picked
    is_settled = runs < _MOST_RUNS and st.session_state.get(dimension) == wanted
    st.session_state[_PICKED] = None if is_settled or not runs else (dimension, wanted, runs - 1)
    if not is_settled and runs:
        st.session_state[dimension] = wanted


def _chosen_names(options_of: Callable[[str], list[str]], *, is_long: bool) -> tuple[tuple[str, frozenset[str]], ...]:
    labels = {**COLUMNS.filters, **LISTED} if is_long else COLUMNS.filters
    offered = {name: options_of(name) for name in labels}
    chosen = [
        (name, frozenset(_several(name, names, labels[name])))
        for name, names in offered.items()
        if name != _SITE or len(names) > 1 or name in st.query_params
    ]
    return tuple((name, names) for name, names in chosen if names)


def _long_window(window: Window, measure: LongMeasure, clock: Clock) -> LongChoices:
    days = _days() if window == "dates" else None
    intervals = intervals_of(window, days)
    offered = (window, intervals)
    if st.session_state.get(_INTERVALS, offered) != offered and not history.is_navigation():
        st.session_state["interval"] = intervals[0]  # it follows the window
    st.session_state[_INTERVALS] = offered
    by = st.container(width="content")
    with by, st.container(key="window-interval"):  # hidden beside the one below
        interval = _switch("By", {name: INTERVALS[name] for name in intervals}, intervals[0], "interval")
    compare = _switch("Compare with", COMPARISONS, "", "compare")
    chosen = LongChoices(window=window, interval=interval, measure=measure, compare=compare, days=days)
    bucket = zoom_of(chosen, clock)
    if bucket is not None:
        finer = FINER[bucket.interval]
        with by, st.container(key="zoom-interval"):
            st.segmented_control("By", [INTERVALS[finer]], default=INTERVALS[finer], required=True, key=f"zoom-{finer}")
    return chosen


def _days() -> Days | None:
    """The first and the last day; None until the viewer has chosen both."""
    first, last = (st.date_input(label, value=None, key=key, bind="query-params", width=150) for label, key in _ENDS)
    return read_days(first, last) if first is not None and last is not None else None


def long_breakdown(minutes: CompletedMinutes) -> str:
    """The dimension of a long window's breakdown, chosen inside its card."""
    return _dimension("Break down by", BREAKDOWNS, "breakdown", usual_breakdown(minutes.frame.names))


def breakdown(minutes: CompletedMinutes) -> str:
    """The dimension of the breakdown, chosen inside its card."""
    return _dimension("Break down by", COLUMNS.breakdowns, "breakdown", usual_breakdown(minutes.frame.names))


def density(minutes: CompletedMinutes) -> str:
    """The rows of the heatmap, chosen inside its card."""
    labels = {name: COLUMNS.breakdowns[name] for name in COLUMNS.filters}
    return _dimension("Rows", labels, "density", usual_density(minutes.frame.names))


def backlog_minutes(minutes: CompletedMinutes) -> int:
    """The window of the histograms, chosen inside their card."""
    backlogs = {length: label for length, label in _BACKLOGS.items() if length <= _reach(minutes)}
    length: int = _switch("Backlog", backlogs, 60, "backlog", is_labelled=False)
    return length


def _reach(minutes: CompletedMinutes) -> int:
    return max(60, minutes.end_minute - minutes.first_minute)


def _switch(label: str, options: Any, default: Any, key: str, *, is_labelled: bool = True) -> Any:
    return st.segmented_control(
        label,
        list(options),
        format_func=lambda option: options[option],
        default=default,
        required=True,
        key=key,
        bind="query-params",
        label_visibility="visible" if is_labelled else "collapsed",
    )


def _search(role: Role) -> str:
    """A text that pages, products or visitors must have; a visitor is for analysts."""
    text: str | None = st.text_input(
        "Search",
        key="search",
        bind="query-params",
        max_chars=_LONGEST_SEARCH,
        placeholder="Page, product or visitor" if role == "analyst" else "Page or product",
    )
    return (text or "").strip()[:_LONGEST_SEARCH]


def _several(dimension: str, options: list[str], plural: str) -> list[str]:
    """Any number of names; those from an address need not be among the options."""
    return st.multiselect(
        BREAKDOWNS[dimension],
        options,
        key=dimension,
        bind="query-params",
        accept_new_options=True,
        placeholder=f"All {plural.lower()}",
    )


def _dimension(label: str, labels: Mapping[str, str], key: str, usual: str) -> str:
    dimensions = list(labels)
    chosen: str = st.selectbox(
        label,
        dimensions,
        index=dimensions.index(usual),
        format_func=lambda dimension: labels[dimension],
        key=key,
        bind="query-params",
        label_visibility="collapsed",
    )
    return chosen
