"""The left half of the top bar, the same on every page: the name and the links between pages (Streamlit edge)."""

from collections.abc import Callable, Sequence
from typing import Final

import streamlit as st
from streamlit.navigation.page import Page

from services.dashboard.kit.escaping import in_html

Navigation = Callable[[], None]

_BRAND: Final = '<div class="brand"><span class="mark" aria-hidden="true"><i></i><i></i><i></i></span>Clickpulse</div>'

_CARRIED: Final = ("audience",)
"""Query parameters that mean the same on every page; links keep them."""


def show(pages: Sequence[Page], here: Page, account: str = "") -> None:
    """Draw the name, a link to each page, and `account`, HTML; the current page is marked instead of linked.

    A page calls it inside its top bar's container.
    """
    with st.container(key="masthead", horizontal=True, width="content"):
        st.html(_BRAND)
        with st.container(key="navigation", horizontal=True, width="content"):
            carried = {name: st.query_params[name] for name in _CARRIED if name in st.query_params}
            for page in pages:
                if page.url_path == here.url_path:
                    st.html(f'<span class="here" aria-current="page">{in_html(page.title)}</span>')
                else:
                    st.page_link(page, label=page.title, query_params=carried or None)
            if account:
                st.html(account)
