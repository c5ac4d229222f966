"""Prometheus scrapes a running demo with our configuration: every query of the board has an answer."""

import json
import math
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from services.demo.programs import GOALS_FILE
from shared.status.metrics import SERIES
from tests.support.polling import eventually
from tests.support.servers.demo import CLICKPULSE, running
from tests.support.servers.prometheus import prometheus
from tests.support.servers.server_process import ServerProcess, free_port

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(400),
    pytest.mark.skipif(sys.platform != "linux", reason="finds the demo's processes in /proc"),
]

DEPLOY: Final = Path(__file__).parents[2] / "deploy"
SERVICES: Final = ("collect", "enrich", "aggregate", "detect", "dashboard", "generate")
QUIET: Final = {
    *("clickpulse_counted_as_other_total", "clickpulse_trouble", "clickpulse_unreadable_values_total"),
    "clickpulse_history_events_total",  # the site has no history
}
"""Without samples on a healthy site."""


class Site:
    """The demo's Prometheus."""

    def __init__(self, port: int, collect_port: int) -> None:
        self._port, self._collect_port = port, collect_port

    def get(self, path: str, **query: str) -> Any:
        address = f"http://127.0.0.1:{self._port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(address, timeout=10) as answer:
            return json.load(answer)["data"]

    def values(self, expression: str) -> list[float]:
        """The values of an instant query that are numbers."""
        found = self.get("query", query=expression)["result"]
        return [value for value in (float(sample["value"][1]) for sample in found) if math.isfinite(value)]

    def send_what_is_refused(self) -> None:
        """A healthy site refuses nothing, so the board would have nothing to show."""
        with pytest.raises(urllib.error.HTTPError, match="400"):
            urllib.request.urlopen(f"http://127.0.0.1:{self._collect_port}/v1/events", b"{", timeout=10)

    def is_up(self) -> bool:
        try:
            return sum(self.values("up")) == len(SERVICES)
        except OSError:
            return False


def board_queries() -> list[str]:
    board = json.loads((DEPLOY / "grafana" / "clickpulse.json").read_text())
    targets = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    # As Grafana does, with four scrapes.
    return [expression.replace("$__rate_interval", "20s") for expression in targets]


def free_ports(number: int) -> int:
    """The first of so many free ports in a row."""
    while True:
        first = free_port()
        try:
            for port in range(first, first + number):
                with closing(socket.create_server(("127.0.0.1", port))):
                    pass
        except OSError:
            continue
        return first


def prove(port: int) -> None:
    """The demo's numbers are those of its log."""
    own = {"REDIS_URL": f"redis://127.0.0.1:{port}/0", "GOALS_FILE": str(GOALS_FILE)}
    environment = {**os.environ, **own, "SEGMENT_HOURS": "0"}  # some are still to be rewritten, which it would wait for
    ended = subprocess.run(
        [*CLICKPULSE, "prove"], env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    program, folder = prometheus(), tmp_path_factory.mktemp("monitoring")
    first = free_ports(len(SERVICES))
    configuration = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    (job,) = configuration["scrape_configs"]
    del job["dns_sd_configs"]
    job["static_configs"] = [{"targets": [f"127.0.0.1:{port}" for port in range(first, first + len(SERVICES))]}]
    configuration["global"] = {"scrape_interval": "2s", "scrape_timeout": "2s", "evaluation_interval": "2s"}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    (folder / "alerts.yml").write_text((DEPLOY / "prometheus" / "alerts.yml").read_text())
    port, collect_port = free_port(), free_port()
    command = [
        program,
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    demo = [*CLICKPULSE, "demo", "--state-dir", str(folder / "state"), "--port", str(free_port()), "--rate", "5"]
    server = ServerProcess(folder / "prometheus.log")
    found = Site(port, collect_port)
    with running(demo, HEALTH_PORT=str(first), COLLECT_PORT=str(collect_port)) as own:
        try:
            server.run(command, found.is_up)
            with own.ready() as client:
                prove(client.get_connection_kwargs()["port"])
            yield found
        finally:
            server.kill()


def test_every_query_of_the_board_has_an_answer(site: Site) -> None:
    missing = set(board_queries())

    def all_answered() -> bool:
        site.send_what_is_refused()
        missing.difference_update([expression for expression in missing if site.values(expression)])
        return not missing

    try:
        eventually(all_answered, "an answer", 90)
    except AssertionError:
        pytest.fail(f"no answer to {sorted(missing)}")


def test_every_series_is_scraped_and_labelled_with_its_service(site: Site) -> None:
    def scraped() -> set[str]:
        found = site.get("query", query='{__name__=~"clickpulse_.*"}')["result"]
        return {sample["metric"]["__name__"] for sample in found}

    expected = {
        f"{metric.series}_count" if metric.kind == "histogram" else metric.series for metric in SERIES.values()
    } - QUIET
    eventually(lambda: expected <= scraped(), "every series")  # that of the proof follows within seconds
    services = {sample["metric"]["service"] for sample in site.get("query", query="clickpulse_build_info")["result"]}
    assert services == set(SERVICES)


def test_every_alert_is_evaluated_and_none_is_raised_on_a_healthy_site(site: Site) -> None:
    (group,) = site.get("rules")["groups"]
    rules = {rule["name"]: rule for rule in group["rules"]}
    assert {name for name, rule in rules.items() if rule["health"] != "ok"} == set()
    assert {name for name, rule in rules.items() if rule["state"] == "firing"} == set()
    assert site.values(
        "sum(abs(sum without (outcome) (clickpulse_outcomes_total) - clickpulse_read_events_total))"
    ) == [0]
    assert 0 <= site.values("time() - max(clickpulse_rollup_timestamp_seconds)")[0] < 30
