"""The Operations page as Streamlit runs it, in each of its states, on a real Valkey."""

import re
import time
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from shared.status.keys import write
from tests.support import opened_page
from tests.support.samples.status import REDIS_AWAY, sample_status
from tests.support.servers.server_process import free_port
from tests.unit.dashboard.test_app import client as client  # the fixture
from tests.unit.dashboard.test_app import page


def opened(zone: str = "UTC") -> AppTest:
    return opened_page.opened("operations", zone=zone)


def report(client: Any, service: str, *, age_s: float = -60, prefix: str = "", **fields: Any) -> None:
    """A report that stays fresh for as long as a busy machine takes to look at it, unless its age is given."""
    now_ms = round(1000 * (time.time() - age_s))
    status = sample_status(service, f"{service}-1", started_at_ms=now_ms - 600_000, reported_at_ms=now_ms, **fields)
    write(client, status, [], prefix)


def report_all(client: Any, prefix: str = "") -> None:
    for service in ("enrich", "aggregate", "detect"):
        report(client, service, prefix=prefix)


def test_live_reports_fill_the_figures_and_every_table(client: Any) -> None:
    report_all(client)
    shown = page(opened())
    assert 'data-standing="live"' in shown
    for title in ("Replicas", "Partitions", "Dead letters", "Latest transitions"):
        assert f"<h2>{title}</h2>" in shown
    assert shown.count('<tr data-standing="healthy"') == 3
    assert "aggregate-1" in shown
    assert '<span class="here" aria-current="page">Operations</span>' in shown


def test_times_are_the_viewers(client: Any) -> None:
    report_all(client)
    report(client, "enrich", age_s=45)
    shown = page(opened("Asia/Kathmandu"))
    assert "Time (UTC+5:45)" in shown
    assert re.search(r"Time</span> <time [^>]* UTC\">\d\d:\d\d:\d\d UTC\+5:45</time>", shown)


def test_new_reports_are_shown_at_the_next_refresh(client: Any) -> None:
    report_all(client)
    app = opened()
    report(client, "enrich", events_per_second=87_654.0)
    time.sleep(1)  # as long as an answer is reused
    app.run()
    assert "87,654" in page(app)


def test_without_reports_the_page_says_what_to_do(client: Any) -> None:
    assert client.dbsize() == 0
    shown = page(opened())
    assert "No service reports" in shown
    assert "make demo" in shown


def test_a_replica_that_stopped_reporting_is_shown_as_gone(client: Any) -> None:
    report_all(client)
    report(client, "aggregate", age_s=45)
    shown = page(opened())
    assert 'data-standing="failing"' in shown
    assert '<tr data-standing="gone" class="problem">' in shown
    assert "stopped reporting" in shown


def test_a_failure_is_shown_with_its_reason(client: Any) -> None:
    report_all(client)
    report(client, "aggregate", troubles={"redis": REDIS_AWAY})
    shown = page(opened())
    assert "Failing" in shown
    assert "connection refused" in shown


def test_a_malformed_report_is_shown_with_the_others(client: Any) -> None:
    report_all(client)
    client.hset("status:replicas:enrich", "broken", "{")
    shown = page(opened())
    assert '<tr data-standing="unreadable"' in shown
    assert "status:replicas:enrich broken" in shown
    assert shown.count('<tr data-standing="healthy"') == 3


def test_a_key_of_the_wrong_type_is_reported(client: Any) -> None:
    client.set("status:replicas:enrich", "text")
    shown = page(opened())
    assert "a key of the wrong type" in shown


def test_an_unreachable_redis_is_reported(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    report_all(client)
    port = free_port()
    monkeypatch.setenv("REDIS_URL", f"redis://user:secret@127.0.0.1:{port}/0")
    st.cache_resource.clear()
    shown = page(opened())
    assert 'data-standing="unreachable"' in shown
    assert f"127.0.0.1:{port}" in shown
    assert "secret" not in shown


def test_the_prefix_is_read(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_PREFIX", "shop:")
    report_all(client, "shop:")
    assert 'data-standing="live"' in page(opened())
