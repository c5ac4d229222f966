"""Explore's long windows as Streamlit runs them, on a real Valkey and an HTTP server that answers as history."""

import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from tests.support.opened_page import opened, shown
from tests.support.polling import eventually
from tests.support.samples.history_said import HOUR, document, iso, series
from tests.support.samples.rollup import publish, sample_rollup
from tests.support.servers.server_process import free_port
from tests.unit.dashboard.explore.test_page import publish_hour
from tests.unit.dashboard.test_app import client as client  # the fixture


class History:
    """Answers each question with sums that name it; `asked` are paths with their parameters."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, list[str]]]] = []
        self.status = 200

    def answer(self, path: str, query: str) -> bytes:
        kind, parameters = path.rpartition("/")[2], parse_qs(query)
        self.asked.append((kind, parameters))
        if self.status != 200:
            return json.dumps({"error": "invalid", "message": "no such thing"}).encode()
        end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + HOUR
        views = 700 if "category" in parameters else 4321
        is_histogram = parameters.get("by", [""])[0] in ("age", "eventsPerVisitor")
        amounts = {"revenue": "99.5", "orders": 2, "profit": "9.5", "refunded": "0", "refunds": 0, "without_cost": 0}
        rows: Any = {
            "aggregate": [{"views": views, "visitors": 987, **amounts}],
            "breakdown": [{"name": "30" if is_histogram else "Books", "views": views, "visitors": 12, **amounts}],
            "timeseries": series([5, 6, 7], start=end - 3 * HOUR),
        }[kind]
        window = {"from": iso(end - timedelta(days=7)), "to": iso(end), "timezone": "UTC"}
        since = iso(end - timedelta(days=30))
        return json.dumps(document(rows, end=end, window=window, since=since, currency="EUR")).encode()

    def of(self, kind: str) -> list[dict[str, list[str]]]:
        """What was asked, but for the histograms and sessions."""
        asked = [parameters for own, parameters in self.asked if own == kind]
        return [
            own
            for own in asked
            if own.get("by") not in (["age"], ["eventsPerVisitor"]) and "sessions" not in own.get("metrics", [""])[0]
        ]


@pytest.fixture
def history(client: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[History]:
    """The history that the dashboard asks."""
    assert client.ping()
    own = History()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            body = own.answer(parts.path, parts.query)
            self.send_response(own.status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, name="history")
        thread.start()
        monkeypatch.setenv("HISTORY_API_URL", f"http://127.0.0.1:{server.server_port}")
        try:
            yield own
        finally:
            server.shutdown()
            thread.join()


def figures(app: AppTest) -> dict[str, str]:
    return dict(re.findall(r'<h2>(\w+)</h2><span class="number[^>]*>([^<]+)</span>', shown(app)))


def answered(app: AppTest, title: str = "Views", number: str = "4,321") -> None:
    """Refresh until the key figure shows."""
    eventually(lambda: figures(app.run()).get(title) == number, "the answers", 60)
    eventually(lambda: "Asking history" not in shown(app.run()), "all answers", 60)
    assert not app.exception


def test_a_short_window_asks_history_nothing(client: Any, history: History) -> None:
    publish_hour(client)
    opened("explore")
    opened("explore", window="15 min", category="Books")
    assert history.asked == []


def test_a_long_window_shows_what_history_answers(client: Any, history: History) -> None:
    publish_hour(client)
    app = opened("explore", window="7 days", zone="Europe/Berlin")
    answered(app)
    page = shown(app)
    for title in ("Views by hour", "Breakdown by category", "Views by weekday and hour", "Events per visitor", "Age"):
        assert f"<h2>{title}</h2>" in page
    assert "Latest events" not in page
    assert "choose a shorter window" in page
    assert history.of("aggregate")[0] == {"window": ["7d"], "interval": ["hour"], "timezone": ["Europe/Berlin"]}
    # The hours of the week are those of the curve.
    assert sorted(kind for kind, _ in history.asked) == [*["aggregate"] * 2, *["breakdown"] * 3, "timeseries"]
    drawn = app.session_state["explore-drawn"][1]
    app.run()
    assert len(history.asked) == 6, "each refresh asks history again"
    assert app.session_state["explore-drawn"][1] is drawn, "each refresh draws again"


def test_the_address_says_what_is_asked(client: Any, history: History) -> None:
    publish_hour(client)
    app = opened(
        "explore", window="30 days", interval="Hour", compare="Last week", show="Visitors", audience="Humans",
        category=["Books", "Toys"], productId="P1", breakdown="Platform",
    )  # fmt: skip
    answered(app, "Visitors", "987")
    (breakdown,) = history.of("breakdown")
    assert breakdown == {
        "window": ["30d"], "interval": ["hour"], "compare": ["last_week"], "timezone": ["UTC"], "audience": ["human"],
        "category": ["Books", "Toys"], "productId": ["P1"], "by": ["platform"], "limit": ["10"],
        "metrics": ["visitors,views"],
    }  # fmt: skip


def test_days_are_chosen_from_the_address(client: Any, history: History) -> None:
    publish_hour(client)
    app = opened("explore", window="From–to")
    assert "Choose the days" in shown(app)
    assert history.asked == []
    app = opened("explore", **{"window": "From–to", "from": "2026-03-28", "to": "2026-03-29"}, zone="Europe/Berlin")
    answered(app)
    (asked,) = history.of("aggregate")
    assert (asked["from"], asked["to"]) == (["2026-03-27T23:00:00Z"], ["2026-03-29T22:00:00Z"])


def test_the_interval_follows_the_window_until_one_is_chosen(client: Any, history: History) -> None:
    publish_hour(client)
    app = opened("explore", window="24 h")
    app.button_group(key="window").set_value("30d").run()
    app.button_group(key="window").set_value("12mo").run()
    app.button_group(key="interval").set_value("day").run()
    eventually(lambda: len(history.of("aggregate")) == 4, "the questions")
    asked = [(own["window"][0], own["interval"][0]) for own in history.of("aggregate")]
    assert asked == [("24h", "hour"), ("30d", "day"), ("12mo", "month"), ("12mo", "day")]


def test_a_site_of_its_own_is_asked_about_alone(client: Any, history: History) -> None:
    publish_hour(client)
    as_of_ms = int(time.time() + 120) * 1000
    publish(client, sample_rollup(as_of_ms, site="shop.example", other_site=7))
    answered(opened("explore", window="7 days", site="other.example"))
    assert {tuple(parameters["site"]) for _, parameters in history.asked} == {("shop.example",)}


def test_before_the_first_rollup_no_history_is_asked(client: Any, history: History) -> None:
    assert client.dbsize() == 0
    assert "No completed minute yet" in shown(opened("explore"))
    assert "No rollup yet" in shown(opened("explore", window="7 days"))
    assert history.asked == []


def test_what_history_refuses_is_said(client: Any, history: History) -> None:
    publish_hour(client)
    history.status = 400
    app = opened("explore", window="7 days")
    eventually(lambda: "400: no such thing" in shown(app.run()), "the refusal", 60)
    assert set(figures(app).values()) == {"–"}


@pytest.mark.parametrize(("address", "what"), [("", "does not answer"), ("off", "is off")])
def test_without_history_long_windows_say_how_to_get_it_and_short_ones_work(
    client: Any, monkeypatch: pytest.MonkeyPatch, address: str, what: str
) -> None:
    monkeypatch.setenv("HISTORY_API_URL", address or f"http://127.0.0.1:{free_port()}")
    st.cache_resource.clear()
    publish_hour(client)
    app = opened("explore", window="7 days")
    eventually(lambda: "Longer windows need history" in shown(app.run()), "the notice", 60)
    assert what in shown(app)
    app.button_group(key="window").set_value(60).run()
    assert "<h2>Views by minute</h2>" in shown(app)


def test_a_file_of_names_has_all_of_them(client: Any, history: History) -> None:
    publish_hour(client)
    app = opened("explore", window="7 days", compare="Yesterday")
    answered(app)
    app.session_state["download-asked"] = "breakdown"  # as a press does

    def file() -> Any:
        (element,) = (element for element in app.run().get("bidi_component") if element.key == "downloads")
        return json.loads(element.proto.json).get("file")

    written = eventually(file, "the file", 60)
    assert written["text"].splitlines() == ['\ufeff"Category","Views","Visitors"', '"Books",4321,12']
    (asked,) = (own for own in history.of("breakdown") if own["limit"] == ["10000"])
    assert "compare" not in asked


def test_a_pick_outlasts_a_refresh_that_was_asked_for_before(client: Any, history: History) -> None:
    publish_hour(client)
    app = opened("explore", window="7 days")
    answered(app)
    app.session_state["explore-picked"] = ("category", ["Books"], 5)  # as a press does
    answered(app, number="700")
    app.session_state["explore-picked"] = ("category", ["Books"], 4)
    app.multiselect(key="category").set_value([]).run()  # what the browser had
    assert app.multiselect(key="category").value == ["Books"]
    app.run()
    app.multiselect(key="category").set_value([])  # by hand
    answered(app)
    assert [own.get("category") for own in history.of("aggregate")] == [None, ["Books"]]


def test_the_address_says_what_is_zoomed_to_until_another_window_is_chosen(client: Any, history: History) -> None:
    publish_hour(client)
    app = opened("explore", window="30 days", zoom="2026-03-29", compare="Last week", zone="Europe/Berlin")
    answered(app)
    (asked,) = history.of("aggregate")
    assert asked == {
        "from": ["2026-03-28T23:00:00Z"], "to": ["2026-03-29T22:00:00Z"], "interval": ["hour"],
        "timezone": ["Europe/Berlin"], "compare": ["last_week"],
    }  # fmt: skip
    assert ">Last 30 days</button>" in shown(app)
    assert app.button_group(key="zoom-hour").value == "Hour"
    app.button_group(key="window").set_value("7d").run()
    answered(app)
    assert history.of("aggregate")[-1]["window"] == ["7d"]
    assert (app.session_state["explore-zoom"], "zoom" in app.query_params) == (None, False)


def test_a_pick_zooms_and_another_leads_back(client: Any, history: History) -> None:
    publish_hour(client)
    app = opened("explore", window="12 months")
    answered(app)
    app.session_state["explore-zoom"] = "2026-11"  # as a press does
    answered(app)
    assert app.query_params["zoom"] == "2026-11"
    assert [own.get("from") for own in history.of("aggregate")] == [None, ["2026-11-01T00:00:00Z"]]
    app.session_state["explore-zoom"] = None
    answered(app)
    assert "zoom" not in app.query_params
    assert "Zoomed to" not in shown(app)
    assert [group.key for group in app.button_group if str(group.key).startswith("zoom-")] == []


@pytest.mark.parametrize("zoom", ["2026-13", "2026-11-31", "2026-11-27T10:30:00Z", "<b>", "0001-01-01"])
def test_an_address_with_another_zoom_shows_the_whole_window(client: Any, history: History, zoom: str) -> None:
    publish_hour(client)
    answered(opened("explore", window="7 days", zoom=zoom))
    assert [own.get("window") for own in history.of("aggregate")] == [["7d"]]


@pytest.mark.usefixtures("history")
def test_figures_of_sales_are_for_long_windows(client: Any) -> None:
    publish_hour(client)
    app = opened("explore", window="7 days", show="Revenue")
    answered(app, "Revenue", "€99.50")
    assert figures(app)["Orders"] == "2"
    assert "<h2>Revenue by hour</h2>" in shown(app)
    app.button_group(key="window").set_value(60).run()
    assert "<h2>Views by minute</h2>" in shown(app)
    assert not app.exception
