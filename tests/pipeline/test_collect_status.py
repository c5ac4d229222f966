"""What a real collector says of itself, through an outage of its log: status in Redis, metrics and health."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.runtime.redis_client import connect
from shared.status.keys import read
from shared.status.replica_status import ReplicaStatus
from tests.support.polling import eventually
from tests.support.servers.collector import Collector, running_collector
from tests.support.servers.valkey import Valkey

PAGE = {"url": "https://shop.example/coat"}


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    """Holds the status and the event log."""
    server = Valkey(tmp_path, fsync="everysec")
    server.start()
    try:
        yield server
    finally:
        server.kill()


@pytest.fixture
def collector(tmp_path: Path, valkey: Valkey) -> Iterator[Collector]:
    sites = tmp_path / "sites.toml"
    sites.write_text('[[sites]]\nname = "shop.example"\n')
    with running_collector(tmp_path, valkey.url, SITES_FILE=str(sites)) as running:
        yield running


def status(valkey: Valkey, received: int) -> ReplicaStatus | None:
    """Its status once it has received so many events and has no trouble."""
    with connect(valkey.url) as client:
        own = [status for status in read(client, "").replicas if status.service == "collect"]
    return next((status for status in own if status.received == received and not status.troubles), None)


def counts(collector: Collector) -> dict[str, int]:
    """The outcomes that `/metrics` has counted, and what was received."""
    text = collector.ask_health("/metrics").body.decode()
    found = re.findall(r'^clickpulse_collected_events_total\{outcome="(\w+)".*\} (\d+)', text, re.MULTILINE)
    found += re.findall(r"^clickpulse_(received|waiting)_events\w*\{.*\} (\d+)", text, re.MULTILINE)
    return {name: int(number) for name, number in found if number != "0"}


def test_every_event_is_in_the_status_and_the_metrics(valkey: Valkey, collector: Collector) -> None:
    assert collector.send([PAGE, PAGE, {"url": "https://other.example/"}, PAGE | {"value": []}]).status == 202
    assert collector.send(b"{").status == 400
    assert collector.send(PAGE, headers={"Cookie": "clickpulse_opt_out=1"}).status == 202
    outcomes = {"accepted": 2, "unknown_site": 1, "wrong_type": 1, "not_json": 1, "opted_out": 1}
    eventually(lambda: counts(collector) == outcomes | {"received": 6}, "the metrics")
    own = eventually(lambda: status(valkey, 6), "the status")
    assert (own.collected, own.waiting, own.events, own.health) == (outcomes, 0, 2, "healthy")
    assert sum(own.dead_letters.values()) >= 1


def test_an_outage_shows_in_health_and_counts_and_ends_without_a_click(valkey: Valkey, collector: Collector) -> None:
    assert collector.send(PAGE).status == 202
    valkey.kill()
    for _ in range(3):
        assert collector.send([PAGE, PAGE]).status == 503
    eventually(lambda: counts(collector).get("log_unavailable") == 6, "counted")
    assert collector.ask_health("/readyz").status == 503
    assert collector.ask_health("/livez").status == 200
    valkey.start()
    eventually(collector.is_ready, "ready, though nobody clicked")
    own = eventually(lambda: status(valkey, 7), "the status")
    assert own.collected == {"accepted": 1, "log_unavailable": 6}
    assert collector.send(PAGE).status == 202
