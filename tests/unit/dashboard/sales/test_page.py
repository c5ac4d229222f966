"""The Sales page as Streamlit runs it: whose sales it asks for, and what it says without an answer."""

import json
import time
from typing import Any

import pytest

from tests.support.opened_page import opened
from tests.support.samples.rollup import publish, sample_rollup
from tests.support.servers.server_process import free_port
from tests.unit.dashboard.sources.test_history_client import Server
from tests.unit.dashboard.sources.test_history_client import server as server  # the fixture
from tests.unit.dashboard.test_app import client as client  # the fixture
from tests.unit.dashboard.test_app import page


@pytest.fixture(autouse=True)
def history(server: Server, client: Any, monkeypatch: pytest.MonkeyPatch) -> Server:  # noqa: ARG001 - first
    """A history that has sold nothing."""
    now = time.strftime("%Y-%m-%dT%H:%M:00Z", time.gmtime())
    server.body = json.dumps({"as_of": now, "since": now, "currency": "EUR", "rows": [], "more": 0}).encode()
    monkeypatch.setenv("HISTORY_API_URL", server.url)
    return server


def publish_now(client: Any, **meta: Any) -> None:
    publish(client, sample_rollup((int(time.time()) + 60) * 1000, **meta))


def test_the_sales_are_those_of_the_site_in_redis(client: Any, history: Server) -> None:
    publish_now(client, site="shop.example")
    shown = page(opened("sales", zone="Europe/Berlin"))
    assert "site=shop.example" in history.path
    assert "timezone=Europe%2FBerlin" in history.path
    assert "<h2>Revenue today</h2>" in shown
    assert "No sale yet today." in shown


def test_without_a_site_they_are_all(client: Any, history: Server) -> None:
    publish_now(client)
    opened("sales")
    assert "metrics=" in history.path
    assert "site=" not in history.path


def test_while_nobody_knows_the_site_nothing_is_asked(history: Server) -> None:
    shown = page(opened("sales"))
    assert 'data-standing="waiting"' in shown
    assert history.path == ""


def test_a_history_that_is_not_there_is_named_with_what_to_do(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    publish_now(client)
    url = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("HISTORY_API_URL", url)
    shown = page(opened("sales"))
    assert 'data-standing="unreachable"' in shown
    assert url in shown
    assert "No history yet" in shown
