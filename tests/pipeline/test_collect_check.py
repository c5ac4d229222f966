"""`clickpulse collect --check` against a real collector and a page that uses its script."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.servers.collector import Collector, running_collector
from tests.support.servers.valkey import running_valkey
from tests.unit.collect.checking.web_server import Reply, WebServer, web_server

SITES = '[[sites]]\nname = "127.0.0.1"\norigins = ["{origin}"]\ngpc = "drop"\n'


@pytest.fixture
def page() -> Iterator[WebServer]:
    with web_server({}) as server:
        yield server


@pytest.fixture
def collector(tmp_path: Path, page: WebServer) -> Iterator[Collector]:
    sites = tmp_path / "sites.toml"
    sites.write_text(SITES.format(origin=page.url))
    with running_valkey(tmp_path) as url, running_collector(tmp_path, url, SITES_FILE=str(sites)) as running:
        page.replies["/"] = Reply(b'<head><script defer src="%s/s.js"></script></head>' % running.url.encode())
        yield running


def checked(url: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "services.cli", "collect", "--check", url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env={**os.environ})
    return done.returncode, done.stdout + done.stderr


def test_a_page_that_lacks_nothing_is_told_so(page: WebServer, collector: Collector) -> None:
    code, said = checked(page.url)
    assert code == 0, said
    for line in (
        f"ok       the script is at {collector.url}/s.js",
        f"ok       the site 127.0.0.1 is accepted from pages of {page.url}",
        "ok       the collector sees you as 127.0.0.1",
        "ok       visitors with Sec-GPC or DNT are not counted (GPC=drop)",
    ):
        assert line in said


@pytest.mark.usefixtures("collector")
def test_a_page_of_another_site_is_told_what_to_do(page: WebServer) -> None:
    script = page.replies["/"].body.replace(b"<script", b'<script data-site="other.example"')
    page.replies["/"] = Reply(script)
    code, said = checked(page.url)
    assert code == 1
    assert (
        "missing  the site other.example is not in SITES_FILE: its events are refused\n         → add [[sites]]" in said
    )


def test_a_check_sends_no_event(page: WebServer, collector: Collector) -> None:
    checked(page.url)
    metrics = collector.ask_health("/metrics").body.decode()
    assert 'clickpulse_received_events_total{service="collect"} 0.0' in metrics


def test_an_address_that_is_no_page_is_a_wrong_option() -> None:
    code, said = checked("shop.example")
    assert code == 2
    assert "expected a page such as https://shop.example" in said
