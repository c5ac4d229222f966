"""Picks kept in the page's address (Streamlit edge): the focus, the minute of the past and what is zoomed to."""

from typing import Final

import streamlit as st

from services.dashboard.components import history
from services.dashboard.explore.choices import is_shown, read_focus
from shared.events.time_units import MINUTE_MS
from shared.events.timestamps import iso_second

_PREFIX: Final = "explore-"
FOCUS: Final = "events"
MINUTE: Final = "at"
ZOOM: Final = "zoom"


def kept(parameter: str) -> str | None:
    """What was picked or came with the address, which is updated to match.

    The session wins over the address: while the viewer moves on, the browser still asks with the previous address.
    After Back or Forward the address wins.
    """
    key = _PREFIX + parameter
    if key not in st.session_state or history.is_navigation():
        st.session_state[key] = st.query_params.get(parameter)
    value: str | None = st.session_state[key]
    if value is None:
        st.query_params.pop(parameter, None)
    elif st.query_params.get(parameter) != value:
        st.query_params[parameter] = value
    return value


def pick(text: object) -> None:
    """Keep the focus that was picked; ignores anything else."""
    focus = read_focus(text)
    if focus is not None:
        st.session_state[_PREFIX + FOCUS] = str(focus)


def drop_focus() -> None:
    """Show all events again."""
    st.session_state[_PREFIX + FOCUS] = None


def move(minute: object) -> None:
    """Keep the minute that was picked, or none for `live`; ignores anything else."""
    if isinstance(minute, int) and is_shown(minute):
        st.session_state[_PREFIX + MINUTE] = iso_second(minute * MINUTE_MS)
    elif minute == "live":
        st.session_state[_PREFIX + MINUTE] = None


def zoom(text: str | None) -> None:
    """Keep what the viewer zooms to; None for the whole window."""
    st.session_state[_PREFIX + ZOOM] = text


def forget(parameter: str) -> None:
    """Keep it no longer."""
    st.session_state.pop(_PREFIX + parameter, None)
    st.query_params.pop(parameter, None)
