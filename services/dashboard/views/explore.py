"""The explore page (Streamlit edge)."""

import streamlit as st

from services.dashboard import theme
from services.dashboard.escaping import in_html
from services.dashboard.views.navigation import Navigation


def show(address: str, navigation: Navigation) -> None:
    """Show the page to this viewer."""
    st.html(f"<style>{theme.stylesheet()}</style>")
    palette = theme.palette_of(st.context.theme.type)
    st.html(f"<style>{theme.variables(palette)}</style>")
    with st.container(key="topbar", horizontal=True):
        navigation()
    st.html(f'<div class="notice"><h1>Explore</h1><p>It reads the minute segments of {in_html(address)}.</p></div>')
