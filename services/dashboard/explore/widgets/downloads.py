"""The buttons next to the events: all events again, and the downloads (Streamlit edge)."""

import time
from collections.abc import Callable, Collection, Iterable
from typing import Final

import streamlit as st

from services.dashboard.components.picks import File
from services.dashboard.explore.widgets import address
from services.dashboard.kit.csv_file import MEDIA_TYPE

_SHOW_ALL: Final = "all"
_ASKED, _FILE = "download-asked", "download-file"


Write = Callable[[str], tuple[str, str] | None]
"""The name and the text of a file of a kind; None while there is no answer that it is of."""


def show(kinds: Collection[str], write: Write, show_html: Callable[..., None], *, is_focused: bool = False) -> None:
    """Show a button for each kind of file, and hand out the file that the viewer asked for."""
    asked: str = st.session_state.get(_ASKED, "")
    written = write(asked) if asked in kinds and _FILE not in st.session_state else None
    if written is not None:
        # Written once and kept until the browser has it, because a refresh may overtake the run that sends it.
        name, text = written
        st.session_state[_FILE] = File(name, MEDIA_TYPE, text, f"{asked} {time.time_ns()}")

    def ask(what: object) -> None:
        if what == _SHOW_ALL:
            address.drop_focus()
        elif isinstance(what, str) and what in kinds:
            st.session_state.pop(_FILE, None)
            st.session_state[_ASKED] = what

    show_html(
        _buttons(kinds, is_focused=is_focused),
        key="downloads",
        on_pick=ask,
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


def _forget(token: object) -> None:
    file = st.session_state.get(_FILE)
    if file is not None and token == file.token:
        del st.session_state[_FILE]
        st.session_state.pop(_ASKED, None)
