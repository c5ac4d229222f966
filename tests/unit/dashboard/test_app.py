"""The app as Streamlit runs it, in each of its states, on a real Valkey."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

import services.dashboard
from shared.runtime.redis_client import connect
from tests.support.editions import content_of
from tests.support.samples.rollup import publish, sample_rollup
from tests.support.samples.status import sample_status
from tests.support.servers.server_process import free_port

APP: Final = Path(services.dashboard.__file__).with_name("app.py")
TITLES: Final = (
    "Views and visitors per minute", "Rising", "Entry pages", "Exit pages", "Channels", "Browsers",
    "Top ten products", "Top ten pages", "Traffic sources", "Categories",
    "Visitors by device", "Countries", "Visitors per half hour", "Latest visitors", "State machine log", "Raw data",
)  # fmt: skip
CHARTS: Final = ["per-minute", "categories", "devices", "per-half-hour"]


@pytest.fixture
def client(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("REDIS_URL", redis_url)
    st.cache_resource.clear()  # the sources outlive a run, as they should
    with connect(redis_url) as client:
        yield client
    st.cache_resource.clear()


def run() -> AppTest:
    app = AppTest.from_file(APP, default_timeout=60).run()
    assert not app.exception, app.exception
    return app


def content(app: AppTest) -> dict[str, Any]:
    """The page in the form the browser gets: one element, so that a refresh is cheap."""
    (element,) = [element for element in app.get("bidi_component") if element.key == "board-page"]
    return content_of(element.proto.bytes)


def page(app: AppTest) -> str:
    """All HTML of a page: that of its elements, and that inside the live page's element."""
    bodies = [element.proto.body for element in app.get("html") if not element.proto.body.startswith("<style>")]
    strips = [element.proto.json for element in app.get("bidi_component") if element.key == "strip"]
    bodies += [json.loads(strip)["strip"] for strip in strips]
    if any(element.key == "board-page" for element in app.get("bidi_component")):
        shown = content(app)
        parts = [part.get("html", "") for card in shown["cards"] for part in parts_of(card)]
        bodies += [shown["strip"], shown["figures"], *parts, shown["notice"]]
    return "".join(bodies)


def charts(app: AppTest) -> list[str]:
    return list(figures(app))


def figures(app: AppTest) -> dict[str, Any]:
    cards = content(app)["cards"]
    return {card["name"]: json.loads(part["figure"]) for card in cards for part in parts_of(card) if "figure" in part}


def parts_of(card: dict[str, Any]) -> list[dict[str, Any]]:
    return [*card["parts"], *(part for tab in card["tabs"] for part in tab["parts"])]


def publish_now(client: Any, *, age_s: float = -60, **meta: Any) -> None:
    """A rollup that stays fresh for as long as a busy machine takes to look at it, unless an age is given."""
    as_of_ms = int(time.time() - age_s) * 1000
    publish(client, sample_rollup(as_of_ms, **{"newest_event_ms": as_of_ms, **meta}))


def test_a_live_pipeline_fills_the_key_figures_and_every_panel(client: Any) -> None:
    publish_now(client)
    client.xadd("state_logs", {"created": time.time(), "msg": "visitor-1 moved to OFFER"})
    app = run()
    shown = page(app)
    assert 'data-standing="live"' in shown
    assert not app.markdown, "Streamlit shows texts that stand alone in the app"
    assert '<h2>Active now</h2><div class="number" style="--digits:4.5">1,233</div>' in shown
    for title in TITLES:
        assert f"<h2>{title}</h2>" in shown
    assert "visitor-1 moved to OFFER" in shown
    assert charts(app) == CHARTS


def test_charts_hold_the_rollups_numbers(client: Any) -> None:
    publish_now(client)
    drawn = figures(run())
    assert drawn["per-minute"]["data"][0]["y"] == [3 * count for count in range(65, 80)]
    assert drawn["per-half-hour"]["data"][0]["y"] == list(range(20, 37))
    assert drawn["devices"]["data"][0]["values"] == [120, 90, 6, 3, 3]
    assert drawn["categories"]["data"][0]["x"] == [1260, 933, 51]


def test_the_switch_shows_one_audience(client: Any) -> None:
    publish_now(client)
    app = run()
    app.button_group(key="audience").set_value("human").run()
    assert not app.exception
    assert '<h2>Active now</h2><div class="number" style="--digits:3.0">822</div>' in page(app)
    assert charts(app) == CHARTS


def test_an_empty_redis_says_what_to_do(client: Any) -> None:
    assert client.dbsize() == 0
    app = run()
    assert "No events yet" in page(app)
    assert "make demo" in page(app)
    assert charts(app) == []


def test_stale_numbers_stay_and_say_since_when(client: Any) -> None:
    publish_now(client, age_s=130)
    app = run()
    assert 'data-standing="stale"' in page(app)
    assert "(2 min)" in page(app)
    assert charts(app) == CHARTS


def test_a_missing_partition_is_reported_and_the_numbers_stay(client: Any) -> None:
    publish_now(client, coverage_1h_s=0, coverage_8h_s=0)
    app = run()
    assert 'data-standing="partial"' in page(app)
    assert charts(app) == CHARTS


def test_a_quiet_site_is_no_failure(client: Any) -> None:
    publish_now(client, lag=0, newest_event_ms=int(time.time() - 400) * 1000)
    assert 'data-standing="quiet"' in page(run())


def test_a_malformed_key_is_named(client: Any) -> None:
    publish_now(client)
    client.hset("rollup:all:visitors", "5m", "many")
    app = run()
    assert 'data-standing="malformed"' in page(app)
    assert "rollup:all:visitors" in page(app)


def test_a_redis_that_is_down_is_named_and_found_again(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    publish_now(client)
    port = free_port()
    monkeypatch.setenv("REDIS_URL", f"redis://user:secret@127.0.0.1:{port}/0")
    st.cache_resource.clear()
    shown = page(run())
    assert 'data-standing="unreachable"' in shown
    assert f"127.0.0.1:{port}" in shown
    assert "secret" not in shown


def test_the_prefix_is_read(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_PREFIX", "shop:")
    as_of_ms = int(time.time() + 60) * 1000
    publish(client, sample_rollup(as_of_ms), "shop:")
    assert 'data-standing="live"' in page(run())


def test_one_can_switch_between_configured_sites(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DASHBOARD_SITES", "All sites=,Shop=shop:")
    monkeypatch.setenv("REDIS_PREFIX", "not shown:")
    as_of_ms = int(time.time() + 60) * 1000
    publish(client, sample_rollup(as_of_ms))
    publish(client, sample_rollup(as_of_ms, site="shop.example", other_site=7, read=1_234_574), "shop:")
    app = run()
    assert "Numbers are up to the second" in page(app)
    assert "of other sites" not in page(app)
    app.selectbox(key="of").set_value("Shop").run()
    assert not app.exception
    assert "Numbers of shop.example are up to the second" in page(app)
    assert "all 1,234,574 accounted for, 4 late, 7 of other sites" in page(app)
    assert "unaccounted" not in page(app)


@pytest.mark.parametrize(("address", "shown"), [("Shop", "Numbers of shop.example"), ("shop:", "Numbers are up")])
def test_the_site_is_in_the_address_by_its_label_alone(
    client: Any, monkeypatch: pytest.MonkeyPatch, address: str, shown: str
) -> None:
    monkeypatch.setenv("DASHBOARD_SITES", "All sites=,Shop=shop:")
    as_of_ms = int(time.time() + 60) * 1000
    publish(client, sample_rollup(as_of_ms))
    publish(client, sample_rollup(as_of_ms, site="shop.example"), "shop:")
    app = AppTest.from_file(APP, default_timeout=60)
    app.query_params["of"] = address
    app.run()
    assert not app.exception
    assert shown in page(app)
    assert app.selectbox(key="of").value == ("Shop" if address == "Shop" else "All sites")


def test_without_the_setting_there_is_no_switch(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    publish_now(client)
    assert not run().selectbox
    monkeypatch.setenv("DASHBOARD_SITES", "Shop=shop:")  # nothing to switch to
    publish(client, sample_rollup(int(time.time() + 60) * 1000, site="shop.example"), "shop:")
    st.cache_resource.clear()
    app = run()
    assert not app.selectbox
    assert "Numbers of shop.example" in page(app)


def test_a_site_says_what_keeps_clicks_from_its_numbers(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DASHBOARD_SITES", "All sites=,Shop=shop:")
    publish(client, sample_rollup(int(time.time() + 60) * 1000, site="shop.example"), "shop:")
    for service, prefix in {"enrich": "", "aggregate": "shop:"}.items():
        stopped = sample_status(service, reported_at_ms=int(time.time() - 60) * 1000, state="stopped")
        client.hset(f"{prefix}status:replicas:{service}", stopped.replica, msgspec.json.encode(stopped))
    app = AppTest.from_file(APP, default_timeout=60)
    app.query_params["of"] = "Shop"
    app.run()
    shown = page(app)
    assert "clickpulse enrich" in shown
    assert "clickpulse aggregate" in shown


def test_with_sign_in_the_app_shows_nothing_that_did_not_pass_the_gate(
    client: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    publish_now(client)
    monkeypatch.setenv("DASHBOARD_AUTH", "password")
    monkeypatch.setenv("DASHBOARD_PASSWORD_FILE", str(tmp_path / "passwords"))
    app = run()
    assert "Sign in" in page(app)
    assert not app.get("bidi_component")
