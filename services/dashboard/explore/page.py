"""The Explore page (Streamlit edge): the viewer's choices, and one fragment that refreshes."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Final
from weakref import WeakKeyDictionary

import streamlit as st

from services.dashboard.components.picks import Picked
from services.dashboard.explore import board, exploration
from services.dashboard.explore.choices import Choices, read_focus, read_minute
from services.dashboard.explore.elements import Elements
from services.dashboard.explore.exploration import Exploration, explore
from services.dashboard.explore.files import FILES, file_name
from services.dashboard.explore.long_windows import page as long_windows
from services.dashboard.explore.long_windows.answers import Said
from services.dashboard.explore.long_windows.choices import LongChoices
from services.dashboard.explore.recall import Recall
from services.dashboard.explore.widgets import address, controls, downloads
from services.dashboard.explore.widgets.parts import show_part
from services.dashboard.kit import theme
from services.dashboard.kit.cards.card import Card, Context, Pickable, container_rules
from services.dashboard.kit.category_colours import CategoryColours
from services.dashboard.kit.navigation import Navigation
from services.dashboard.kit.previous_period import first_event_by_ms
from services.dashboard.kit.rollup_strip import rollup_strip
from services.dashboard.kit.time_zones import Clock, clock_of
from services.dashboard.sign_in.access import Role
from services.dashboard.sources.completed_minutes import CompletedMinutes
from services.dashboard.sources.history.answers import HistoryAnswers
from services.dashboard.sources.observations import snapshot_of
from services.dashboard.sources.rollup_source import RollupSource
from services.dashboard.sources.segment_source import SegmentSource

_STYLE_FILE: Final = Path(__file__).with_name("explore.css")
_MOST_OPTIONS: Final = 250
_SCRUBBED_MINUTES: Final = 60
_EVENTS: Final = ".st-key-card-events"
"""A pick scrolls there, because the events are below what is picked."""

_recalls: Final[WeakKeyDictionary[SegmentSource, Recall]] = WeakKeyDictionary()
"""By the site that the segments are of, shared by all viewers of the process."""


def show(
    rollups: RollupSource,
    segments: SegmentSource,
    history: HistoryAnswers[Said] | None,
    elements: Elements,
    colours: CategoryColours,
    redis_address: str,
    navigation: Navigation,
    role: Role,
) -> None:
    """Show the page to this viewer, and keep it current at the rate the viewer chose."""
    st.html(f"<style>{theme.stylesheet(_STYLE_FILE)}</style>")
    with st.container(key="topbar", horizontal=True):
        navigation()
        with st.container(key="refresh-controls", horizontal=True, width="content"):
            seconds = controls.refresh_seconds()
            st.button("Refresh now", key="refresh-now")  # any press reruns the page
    every = long_windows.refresh_seconds(seconds)
    st.fragment(_refresh, run_every=every or None)(
        rollups, segments, history, elements, colours, redis_address, role, seconds
    )


def _refresh(
    rollups: RollupSource,
    segments: SegmentSource,
    history: HistoryAnswers[Said] | None,
    elements: Elements,
    colours: CategoryColours,
    redis_address: str,
    role: Role,
    refresh_seconds: int,
) -> None:
    palette = theme.palette_of(st.context.theme.type)
    st.html(f"<style>{theme.variables(palette)}</style>")
    clock = clock_of(st.context.timezone)
    minutes, recall = segments.look(), _recalls.setdefault(segments, Recall())
    now_ms = time.time_ns() // 1_000_000
    observation = rollups.observe("all")
    strip = rollup_strip(observation, redis_address, now_ms, clock, role=role)
    elements.strip(strip, at=clock.named_time(now_ms), refresh_seconds=refresh_seconds)
    if not minutes.end_minute and history is None:
        st.html(board.EMPTY)
        return
    with st.container(key="card-controls"):
        chosen = controls.choices(minutes, lambda name: _options(recall, minutes, name), role, clock)
        is_short = isinstance(chosen, Choices) and bool(minutes.end_minute)
        at_minute = _scrubber(recall, minutes, elements, clock) if is_short else None
    snapshot = snapshot_of(observation)
    if isinstance(chosen, LongChoices):
        site = None if snapshot is None else snapshot.meta.site
        context = Context(palette=palette, now_ms=now_ms, clock=clock, role=role)
        long_windows.show(chosen, history, site, minutes, elements, colours, context, refresh_seconds)
    elif is_short:
        address.forget(address.ZOOM)
        choices = replace(chosen, at_minute=at_minute)
        first_event = None if snapshot is None else first_event_by_ms(snapshot.windows)
        context = Context(palette=palette, now_ms=now_ms, clock=clock, role=role)
        _show_minutes(minutes, recall, choices, first_event, elements, colours, context)
    else:
        st.html(board.EMPTY)


def _show_minutes(
    minutes: CompletedMinutes,
    recall: Recall,
    chosen: Choices,
    first_event: int | None,
    elements: Elements,
    colours: CategoryColours,
    context: Context,
) -> None:
    """What is counted from the segments."""
    role = context.role
    above = st.container(key="above")
    with st.container(key="board"):
        containers = {name: st.container(key=f"card-{name}") for name in board.panels_of(role)}
    # Controls inside a card come before what depends on them.
    with containers["breakdown"]:
        breakdown = controls.breakdown(minutes)
    with containers["density"]:
        density = controls.density(minutes)
    with containers["histograms"]:
        backlog_minutes = controls.backlog_minutes(minutes)
    choices = replace(
        chosen,
        breakdown=breakdown,
        density=density,
        backlog_minutes=backlog_minutes,
        focus=read_focus(address.kept(address.FOCUS)) if role == "analyst" else None,
    )
    found = recall.of(minutes, (choices, first_event), lambda: explore(minutes, choices, first_event_by_ms=first_event))

    def draw() -> board.Board:
        slots = colours.of(found.ranked.names) if breakdown == "category" else {}
        return board.draw(minutes, found, replace(context, category_colours=slots))

    drawn = recall.of(minutes, (choices, first_event, context.palette.mode, context.clock, role), draw)
    on_pick = address.pick if role == "analyst" else None  # picks list single events
    with above:
        if drawn.notes:
            st.html(drawn.notes)
        show_part(Pickable(drawn.key_figures), "figures", elements, on_pick, _EVENTS)
    for card in drawn.cards:
        with containers[card.name]:
            _show(card, found, elements, on_pick)
    st.html(f"<style>{container_rules(drawn.cards)}</style><i class='page-end'></i>")


def _options(recall: Recall, minutes: CompletedMinutes, dimension: str) -> list[str]:
    return recall.of(minutes, dimension, lambda: sorted(minutes.frame.names.get(dimension, ()))[:_MOST_OPTIONS])


def _scrubber(recall: Recall, minutes: CompletedMinutes, elements: Elements, clock: Clock) -> int | None:
    last = minutes.end_minute - 1
    first = max(minutes.first_minute, minutes.end_minute - _SCRUBBED_MINUTES)
    at = read_minute(address.kept(address.MINUTE))
    bars = recall.of(minutes, "curve", lambda: exploration.curve(minutes, first))
    elements.scrub(first, last, at, bars, clock, key="scrubber", on_move=address.move)
    return at


def _show(card: Card, found: Exploration, elements: Elements, on_pick: Picked | None) -> None:
    title, *parts = card.parts
    if card.name != "events":
        for place, part in enumerate((title, *parts)):
            show_part(part, f"{card.name}-{place}", elements, on_pick, _EVENTS)
        return
    with st.container(key=f"{card.name}-top", horizontal=True):
        st.html(title)
        is_focused = found.choices.focus is not None
        downloads.show(
            FILES, lambda kind: (file_name(kind, found), FILES[kind](found)), elements.show, is_focused=is_focused
        )
    with st.container(key=f"scroll-{card.name}"):
        for part in parts:
            st.html(part)
