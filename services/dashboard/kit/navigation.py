"""The left half of the top bar, the same on every page: the name, the links between pages and the switch between sites.

The Streamlit edge.
"""

from collections.abc import Callable, Sequence
from typing import Final

import streamlit as st
from streamlit.navigation.page import Page

from services.dashboard.kit.escaping import in_html
from services.dashboard.sign_in.access import SITE

Navigation = Callable[[], None]

_BRAND: Final = '<div class="brand"><span class="mark" aria-hidden="true"><i></i><i></i><i></i></span>Clickpulse</div>'

_CARRIED: Final = ("audience", SITE)
"""Query parameters that mean the same on every page; links keep them."""


def site_of(labels: Sequence[str], *, is_back: bool) -> str:
    """The label that the viewer chose, which the switch shows; the first one for anything else.

    The session wins over the address, except at the start, and when the run follows Back or Forward (`is_back`).
    """
    chosen: object = st.session_state.get(SITE)
    if chosen is None or is_back:
        chosen = st.query_params.get(SITE)
    return chosen if isinstance(chosen, str) and chosen in labels else labels[0]


def show(pages: Sequence[Page], here: Page, account: str = "", sites: Sequence[str] = ()) -> None:
    """Draw the name, a link to each page, and `account`, HTML; the current page is marked instead of linked.

    Where there are several `sites`, one can switch between them; everything else in the address stays. A page calls
    it inside its top bar's container.
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
        if len(sites) > 1:
            with st.container(key="sites", width="content"):
                st.selectbox("Site", sites, key=SITE, bind="query-params", label_visibility="collapsed")
