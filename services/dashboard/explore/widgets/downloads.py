"""The buttons next to the events: all events again, and the downloads (Streamlit edge)."""

import time
from collections.abc import Callable, Iterable
from typing import Final

import streamlit as st

from services.dashboard.components.picks import File
from services.dashboard.explore.exploration import Exploration
from services.dashboard.explore.files import FILES, file_name
from services.dashboard.explore.widgets import address
from services.dashboard.kit.csv_file import MEDIA_TYPE

_SHOW_ALL: Final = "all"
_ASKED, _FILE = "download-asked", "download-file"


def show(found: Exploration, show_html: Callable[..., None]) -> None:
    """Show the buttons and hand out the file that the viewer asked for."""
    asked = st.session_state.get(_ASKED)
    if asked in FILES and _FILE not in st.session_state:
        # Written once and kept until the browser has it, because a refresh may overtake the run that sends it.
        token = f"{asked} {time.time_ns()}"
        st.session_state[_FILE] = File(file_name(asked, found), MEDIA_TYPE, FILES[asked](found), token)
    show_html(
        _buttons(FILES, is_focused=found.choices.focus is not None),
        key="downloads",
        on_pick=_ask,
        file=st.session_state.get(_FILE),
        on_got=_forget,
    )


def _buttons(files: Iterable[str], *, is_focused: bool) -> str:
    back = (
        f'<button type="button" data-pick="{_SHOW_ALL}" data-place="{_SHOW_ALL}">Show all</button>'
        if is_focused
        else ""
    )
    downloads = "".join(
        f'<button type="button" data-pick="{file}" data-place="{file}" aria-label="{file.capitalize()} as CSV">'
        f"{file.capitalize()}</button>"
        for file in files
    )
    return f'<div class="event-buttons">{back}<span>CSV</span>{downloads}</div>'


def _ask(what: object) -> None:
    if what == _SHOW_ALL:
        address.drop_focus()
    elif isinstance(what, str) and what in FILES:
        st.session_state.pop(_FILE, None)
        st.session_state[_ASKED] = what


def _forget(token: object) -> None:
    file = st.session_state.get(_FILE)
    if file is not None and token == file.token:
        del st.session_state[_FILE]
        st.session_state.pop(_ASKED, None)
