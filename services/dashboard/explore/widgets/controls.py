"""The controls of the Explore page (Streamlit edge), each bound to the address."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import streamlit as st

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
from services.dashboard.sign_in.access import Role
from services.dashboard.sources.completed_minutes import CompletedMinutes
from shared.rollups.model import Audience

_AUDIENCES: Final[dict[Audience, str]] = {"all": "All", "human": "Humans", "bot": "Bots"}
_REFRESH: Final = {1: "1 s", 5: "5 s", 30: "30 s", 0: "Paused"}
_BACKLOGS: Final = {5: "5 min", 15: "15 min", 60: "1 h", 240: "4 h", 480: "8 h"}
_LONGEST_SEARCH: Final = 200
_SITE: Final = "site"
"""A filter that most dashboards, of one site, would not use."""


def refresh_seconds() -> int:
    """How often the page refreshes; 0 when paused."""
    seconds: int = _switch("Refresh every", _REFRESH, 1, "refresh")
    return seconds


def choices(minutes: CompletedMinutes, options_of: Callable[[str], list[str]], role: Role) -> Choices:
    """The choices above the cards; `options_of` returns the names that a filter offers."""
    windows = {length: label for length, label in WINDOWS.items() if length <= _reach(minutes)}
    with st.container(key="choices", horizontal=True):
        audience = _switch("Audience", _AUDIENCES, "all", "audience")
        measure = _switch("Show", MEASURES, "views", "show")
        window = _switch("Window", windows, 60, "window")
        steps = {step: label for step, label in STEPS.items() if step <= window}
        step = _switch("By", steps, 1, "by")
        spans = {span: label for span, label in ROLLING.items() if not 0 < span <= step}
        rolling = _switch("Rolling mean", spans, 0, "rolling")
    with st.container(key="filters", horizontal=True):
        search = _search(role)
        offered = {name: options_of(name) for name in COLUMNS.filters}
        chosen = [
            (name, frozenset(_several(name, names)))
            for name, names in offered.items()
            if name != _SITE or len(names) > 1 or name in st.query_params
        ]
    wanted = Filter(audience, tuple((name, names) for name, names in chosen if names), search, role == "analyst")
    return Choices(window_minutes=window, step_minutes=step, measure=measure, rolling_minutes=rolling, wanted=wanted)


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


def _several(dimension: str, options: list[str]) -> list[str]:
    """Any number of names; those from an address need not be among the options."""
    return st.multiselect(
        COLUMNS.breakdowns[dimension],
        options,
        key=dimension,
        bind="query-params",
        accept_new_options=True,
        placeholder=f"All {COLUMNS.filters[dimension].lower()}",
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
