"""The top bar's left half, the same on every page: the name, and the links between the pages (Streamlit edge)."""

from collections.abc import Callable, Sequence
from typing import Final

import streamlit as st
from streamlit.navigation.page import Page

from services.dashboard.kit import cards

Navigation = Callable[[], None]

_CARRIED: Final = ("audience",)
"""Query parameters that mean the same on every page, and so go along."""


def show(pages: Sequence[Page], here: Page) -> None:
    """Draw the name and a link to each page; the one the viewer is on is marked and no link.

    A page calls it inside the container that is its top bar.
    """
    with st.container(key="masthead", horizontal=True, width="content"):
        st.html(cards.BRAND)
        with st.container(key="navigation", horizontal=True, width="content"):
            carried = {name: st.query_params[name] for name in _CARRIED if name in st.query_params}
            for page in pages:
                if page.url_path == here.url_path:
                    st.html(cards.current_page(page.title))
                else:
                    st.page_link(page, label=page.title, query_params=carried or None)
