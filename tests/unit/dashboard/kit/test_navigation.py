"""The links between pages: the current one is marked, and links keep the audience."""

import pytest
import streamlit as st

from tests.support.opened_page import opened, shown
from tests.support.servers.server_process import free_port

TITLES = {"": "Live", "explore": "Explore", "sales": "Sales", "operations": "Operations"}


@pytest.fixture(autouse=True)
def _no_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{free_port()}/0")


@pytest.mark.parametrize("path", TITLES)
def test_each_page_marks_itself_and_links_to_the_others(path: str) -> None:
    app = opened(path)
    assert f'<span class="here" aria-current="page">{TITLES[path]}</span>' in shown(app)
    links = {link.proto.page: link.proto.label for link in app.get("page_link")}
    assert links == {other: title for other, title in TITLES.items() if other != path}


def test_links_keep_the_audience() -> None:
    links = opened(audience="Bots").get("page_link")
    assert {link.proto.query_string for link in links} == {"audience=Bots"}
    links = opened().get("page_link")
    assert {link.proto.query_string for link in links} == {""}


def test_links_keep_the_site(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DASHBOARD_SITES", "All sites=,Shop=shop:")
    st.cache_resource.clear()
    links = opened(of="Shop").get("page_link")
    st.cache_resource.clear()
    assert {link.proto.query_string for link in links} == {"of=Shop"}


def test_without_history_nothing_links_to_sales(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HISTORY_API_URL", "off")
    st.cache_resource.clear()
    links = {link.proto.page for link in opened().get("page_link")}
    about = shown(opened("sales"))
    st.cache_resource.clear()
    assert links == {"explore", "operations"}
    assert "History is off" in about
