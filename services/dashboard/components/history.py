"""Choices after the browser's Back and Forward: those of the address (Streamlit edge).

`history.js` makes each choice an entry of the browser's history.
"""

from urllib.parse import parse_qs

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx


def is_navigation() -> bool:
    """Whether this run follows Back or Forward, so that the address wins over the session."""
    context = get_script_run_ctx(suppress_warning=True)
    return context is not None and context.is_history_navigation


def restore_choices() -> None:
    """Give the page what its address says; called before the page runs.

    Streamlit drops the parameters of controls that the page before had, too, such as the audience.
    """
    context = get_script_run_ctx(suppress_warning=True)
    if context is None or not context.is_history_navigation:
        return
    lost = {name: own for name, own in parse_qs(context.query_string).items() if name not in st.query_params}
    if not lost:
        return
    for name, own in lost.items():
        st.query_params[name] = own
    with context.session_state.query_params() as parameters:
        parameters.set_initial_query_params_from_current()  # from which controls take their values
