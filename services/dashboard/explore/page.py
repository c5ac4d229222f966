"""The explore page (Streamlit edge): the viewer's choices, kept in the address, and one fragment that refreshes."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import streamlit as st

from services.dashboard.components.picks import File
from services.dashboard.explore import board as explore_board
from services.dashboard.explore import exploration
from services.dashboard.explore import files as explore_files
from services.dashboard.explore import tables as explore_tables
from services.dashboard.explore.board import ExplorePanels
from services.dashboard.explore.exploration import Choices
from services.dashboard.explore.files import FILES
from services.dashboard.explore.recall import Recall
from services.dashboard.explore.selection import Filter
from services.dashboard.kit import csv_file as spreadsheet
from services.dashboard.kit import theme
from services.dashboard.kit.cards.chart import Chart
from services.dashboard.kit.category_colours import CategoryColours
from services.dashboard.kit.navigation import Navigation
from services.dashboard.kit.rollup_strip import rollup_strip
from services.dashboard.kit.time_zones import Clock, clock_of
from services.dashboard.sources.closed_minutes import ClosedMinutes
from services.dashboard.sources.rollup_source import RollupSource
from services.dashboard.sources.segment_source import SegmentSource
from shared.events.time_units import MINUTE_MS
from shared.events.timestamps import LATEST_MS, iso_second
from shared.rollups.model import Audience

_AUDIENCES: Final[dict[Audience, str]] = {"all": "All", "human": "Humans", "bot": "Bots"}
_REFRESH: Final = {1: "1 s", 5: "5 s", 30: "30 s", 0: "Paused"}
_BACKLOGS: Final = {5: "5 min", 15: "15 min", 60: "1 h", 240: "4 h", 480: "8 h"}
_FILTERS: Final = {"category": "Categories", "deviceType": "Devices", "country": "Countries", "gender": "Genders"}
_BREAKDOWNS: Final = ("category", "country", "deviceType", "page", "productId", "gender", "eventType")
_DENSITIES: Final = ("category", "country", "deviceType")
_CARDS: Final = ("series", "breakdown", "density", "histograms", "events")
_MOST_OPTIONS: Final = 250
_SCRUBBED_MINUTES: Final = 60
_KEPT: Final = "explore-"
_ASKED, _FILE = "download-asked", "download-file"


_recall = Recall()  # of all viewers of the process


@dataclass(frozen=True, slots=True)
class Elements:
    """The page's own elements, as `plot` and `picks` register them."""

    draw: Callable[..., None]
    show: Callable[..., None]
    scrub: Callable[..., None]


def show(
    reader: RollupSource,
    segments: SegmentSource,
    elements: Elements,
    slots: CategoryColours,
    address: str,
    navigation: Navigation,
) -> None:
    """Show the page to this viewer, and keep it current at the rate the viewer chose."""
    st.html(f"<style>{theme.stylesheet()}</style>")
    with st.container(key="topbar", horizontal=True):
        navigation()
        with st.container(key="refresh-controls", horizontal=True, width="content"):
            seconds = _switch("Refresh every", _REFRESH, 1, "refresh")
            st.button("Refresh now", key="refresh-now")  # whose press is a run of the page
    st.fragment(_refresh, run_every=seconds or None)(reader, segments, elements, slots, address)


def _refresh(
    reader: RollupSource, segments: SegmentSource, elements: Elements, slots: CategoryColours, address: str
) -> None:
    palette = theme.palette_of(st.context.theme.type)
    st.html(f"<style>{theme.variables(palette)}</style>")
    clock = clock_of(st.context.timezone)
    minutes = segments.look()
    now_ms = time.time_ns() // 1_000_000
    st.html(rollup_strip(reader.observe("all"), address, now_ms, clock))
    if not minutes.end_minute:
        st.html(explore_board.empty_notice())
        return
    with st.container(key="card-controls"):
        wanted = _controls(minutes)
        at_minute = _scrubber(minutes, elements, clock)
    above = st.container(key="above")
    with st.container(key="board"):
        cards = {name: st.container(key=f"card-{name}") for name in _CARDS}
    # What is chosen inside a card is drawn before what depends on it.
    with cards["breakdown"]:
        breakdown = _name("Break down by", _BREAKDOWNS, "breakdown")
    with cards["density"]:
        density = _name("Rows", _DENSITIES, "density")
    with cards["histograms"]:
        backlogs = {length: name for length, name in _BACKLOGS.items() if length <= _reach(minutes)}
        backlog = _switch("Backlog", backlogs, 60, "backlog", is_labelled=False)
    choices = replace(
        wanted,
        breakdown=breakdown,
        density=density,
        backlog_minutes=backlog,
        at_minute=at_minute,
        focus=exploration.read_focus(_kept("events")),
    )
    found = _recall.of(minutes, choices, lambda: exploration.explore(minutes, choices))
    panels = _recall.of(
        minutes,
        (choices, palette.mode, clock),
        lambda: explore_board.draw(minutes, found, choices, palette, slots, clock),
    )
    with above:
        if panels.notes:
            st.html(panels.notes)
        elements.show(panels.figures, key="figures", on_pick=_pick)
    _fill(cards, panels, elements, choices)


def _reach(minutes: ClosedMinutes) -> int:
    return max(60, minutes.end_minute - minutes.first_minute)


def _controls(minutes: ClosedMinutes) -> Choices:
    """Draw the controls; what they say. Each is bound to the address."""
    windows = {length: name for length, name in exploration.WINDOWS.items() if length <= _reach(minutes)}
    with st.container(key="choices", horizontal=True):
        audience = _switch("Audience", _AUDIENCES, "all", "audience")
        measure = _switch("Show", exploration.MEASURES, "views", "show")
        window = _switch("Window", windows, 60, "window")
        steps = {step: name for step, name in exploration.STEPS.items() if step <= window}
        step = _switch("By", steps, 1, "by")
        spans = {span: name for span, name in exploration.ROLLING.items() if not 0 < span <= step}
        rolling = _switch("Rolling mean", spans, 0, "rolling")
    with st.container(key="filters", horizontal=True):
        chosen = [(name, frozenset(_several(name, minutes))) for name in _FILTERS]
    wanted = Filter(audience, tuple((name, names) for name, names in chosen if names))
    return Choices(window_minutes=window, step_minutes=step, measure=measure, rolling_minutes=rolling, wanted=wanted)


def _switch(label: str, options: Any, default: Any, key: str, *, is_labelled: bool = True) -> Any:
    """A choice of one, bound to the address."""
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


def _several(dimension: str, minutes: ClosedMinutes) -> list[str]:
    """A choice of any number of the names there are; names that an address brings along need not be there."""
    return st.multiselect(
        exploration.NAMES[dimension],
        _options(minutes, dimension),
        key=dimension,
        bind="query-params",
        accept_new_options=True,
        placeholder=f"All {_FILTERS[dimension].lower()}",
    )


def _options(minutes: ClosedMinutes, dimension: str) -> list[str]:
    return _recall.of(minutes, dimension, lambda: sorted(minutes.frame.names[dimension])[:_MOST_OPTIONS])


def _scrubber(minutes: ClosedMinutes, elements: Elements, clock: Clock) -> int | None:
    last = minutes.end_minute - 1
    first = max(minutes.first_minute, minutes.end_minute - _SCRUBBED_MINUTES)
    at = exploration.read_minute(_kept("at"))
    bars = _recall.of(minutes, "curve", lambda: exploration.curve(minutes, first))
    elements.scrub(first, last, at, bars, clock, key="scrubber", on_move=_move)
    return at


def _kept(name: str) -> str | None:
    """What was picked, or came with the address; the address is made to say it.

    The session has the last word: while the viewer moves on, the browser still asks with the address before.
    """
    key = _KEPT + name
    if key not in st.session_state:
        st.session_state[key] = st.query_params.get(name)
    kept: str | None = st.session_state[key]
    if kept is None:
        st.query_params.pop(name, None)
    elif st.query_params.get(name) != kept:
        st.query_params[name] = kept
    return kept


def _move(minute: object) -> None:
    if isinstance(minute, int) and 0 <= minute <= LATEST_MS // MINUTE_MS:
        st.session_state[_KEPT + "at"] = iso_second(minute * MINUTE_MS)
    elif minute == "live":
        st.session_state[_KEPT + "at"] = None


def _pick(picked: object) -> None:
    focus = exploration.read_focus(picked)
    if focus is not None:
        st.session_state[_KEPT + "events"] = str(focus)


def _fill(cards: Mapping[str, Any], panels: ExplorePanels, elements: Elements, choices: Choices) -> None:
    def chart(key: str, drawn: Chart, on_pick: Callable[[object], None] | None = _pick) -> None:
        elements.draw(drawn.figure_json, label=drawn.label, key=f"chart-{key}", height=drawn.height_px, on_pick=on_pick)

    with cards["series"]:
        st.html(panels.series_head)
        chart("series", panels.series)
    with cards["breakdown"]:
        st.html(panels.breakdown_head)
        elements.show(panels.breakdown, key="breakdown-table", on_pick=_pick)
    with cards["density"]:
        st.html(panels.density_head)
        chart("density", panels.density)
    with cards["histograms"]:
        st.html(panels.events_per_visitor_head)
        chart("events-per-visitor", panels.events_per_visitor, None)
        st.html(panels.ages_head)
        chart("ages", panels.ages, None)
    with cards["events"]:
        with st.container(key="events-top", horizontal=True):
            st.html(panels.events_head)
            _downloads(panels, elements, choices)
        with st.container(key="scroll-raw"):
            st.html(panels.events)


def _name(label: str, dimensions: tuple[str, ...], key: str) -> str:
    chosen: str = st.selectbox(
        label,
        dimensions,
        format_func=lambda dimension: exploration.NAMES[dimension],
        key=key,
        bind="query-params",
        label_visibility="collapsed",
    )
    return chosen


def _downloads(panels: ExplorePanels, elements: Elements, choices: Choices) -> None:
    asked = st.session_state.get(_ASKED)
    if asked in FILES and _FILE not in st.session_state:
        # Made once; it stays until the browser has it, as a refresh may overtake the run that sends it.
        text = FILES[asked](panels.found, choices)
        name = explore_files.file_name(asked, panels.found)
        st.session_state[_FILE] = File(name, spreadsheet.MEDIA_TYPE, text, f"{asked} {time.time_ns()}")
    elements.show(
        explore_tables.event_buttons(list(FILES), is_focused=choices.focus is not None),
        key="downloads",
        on_pick=_ask,
        file=st.session_state.get(_FILE),
        on_got=_hand_over,
    )


def _ask(what: object) -> None:
    if what == explore_tables.SHOW_ALL:
        st.session_state[_KEPT + "events"] = None
    elif isinstance(what, str) and what in FILES:
        st.session_state.pop(_FILE, None)
        st.session_state[_ASKED] = what


def _hand_over(token: object) -> None:
    file = st.session_state.get(_FILE)
    if file is not None and token == file.token:
        del st.session_state[_FILE]
        st.session_state.pop(_ASKED, None)
