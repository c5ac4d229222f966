"""From a recording to Redis through every service in its own process, compared with pandas over the enriched topic."""

import gzip
import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from shared.rollups.contract import Snapshot
from shared.rollups.reading import read
from shared.runtime.redis_client import connect
from shared.runtime.settings import ServiceSettings
from shared.streams.choose import open_log
from shared.streams.event_log import Assignment, FromTime, LogUnavailable, Position, Record
from tests.support.polling import eventually

DATA = Path(__file__).parents[3] / "shared" / "data"
CATCH_UP_SECONDS = 90.0


@dataclass(frozen=True)
class Site:
    """The shared environment of one test's services, with its own topics."""

    environment: dict[str, str]
    settings: ServiceSettings

    def run(self, *command: str) -> str:
        """Run a subcommand and return its output."""
        done = subprocess.run(_clickpulse(*command), env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def service(self, name: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run a service while the block runs."""
        process = subprocess.Popen(_clickpulse(name), env=self.environment)
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def enriched(self, at_least: int) -> pd.DataFrame:
        """Every event of the enriched topic, once there are at least this many and no more have arrived for a while."""
        with open_log(self.settings, "test").consumer(
            self.settings.enriched_topic, f"pandas-{uuid.uuid4()}", Earliest()
        ) as consumer:
            rows: list[dict[str, Any]] = []
            quiet_since = time.monotonic()
            deadline = quiet_since + CATCH_UP_SECONDS
            while len(rows) < at_least or time.monotonic() - quiet_since < 3:
                assert time.monotonic() < deadline, f"{len(rows)} of {at_least} events"
                records: Sequence[Record] = []
                with suppress(LogUnavailable):  # transient: a busy broker answers late
                    records = consumer.poll(10_000, 0.5)
                if records:
                    quiet_since = time.monotonic()
                rows += [json.loads(record.value) | {"arrival_ms": record.timestamp_ms} for record in records]
        return pd.DataFrame(rows)


class Earliest:
    """A listener that reads everything."""

    def on_assigned(self, assignment: Assignment) -> Position:  # noqa: ARG002 - part of the interface
        return FromTime(0)

    def on_revoked(self, partition: int) -> None:
        """Do nothing."""


def _clickpulse(*command: str) -> list[str]:
    return [sys.executable, "-m", "services.cli", *command]


@pytest.fixture
def site(request: pytest.FixtureRequest, redis_url: str, tmp_path: Path) -> Site:
    """A site on either event log."""
    suffix = uuid.uuid4().hex[:8]
    options = {
        "REDIS_URL": redis_url,
        "RAW_TOPIC": f"click-data-{suffix}",
        "ENRICHED_TOPIC": f"enriched-click-data-{suffix}",
        "STATE_DIR": str(tmp_path / "state"),
        "LOG_FORMAT": "json",
    }
    if request.param == "kafka":
        options["KAFKA_BROKER"] = request.getfixturevalue("kafka_broker")
    settings = ServiceSettings(
        redis_url=redis_url,
        kafka_broker=options.get("KAFKA_BROKER"),
        raw_topic=options["RAW_TOPIC"],
        enriched_topic=options["ENRICHED_TOPIC"],
    )
    return Site(os.environ | options, settings)


def _recording(name: str, folder: Path) -> tuple[Path, Path, int]:
    """A recording, its catalogue, and the number of lines that must be refused."""
    if name == "small":
        return _small_recording(folder)
    recording, catalogue = {
        "shop": (DATA / "shop_2014" / "clicks.jsonl.gz", DATA / "shop_2014" / "catalog.csv"),
        "weblog": (DATA / "weblog_2016" / "access.log.zip", DATA / "weblog_2016" / "catalog.csv.gz"),
    }[name]
    if not recording.exists():
        pytest.skip(f"no recorded traffic at {DATA}")
    return recording, catalogue, 0


def _small_recording(folder: Path) -> tuple[Path, Path, int]:
    catalogue = folder / "catalogue.csv"
    catalogue.write_text("productId,category,title\n" + "".join(f"p{n},c{n % 5},Product {n}\n" for n in range(40)))
    recording = folder / "clicks.ndjson.gz"
    with gzip.open(recording, "wt") as lines:
        for number in range(5000):
            click = {
                "timestamp": 1_700_000_000_000 + number * 2500,
                "userId": f"user {number * 7919 % 600}",
                "productId": f"p{number % 50}" if number % 3 else None,
                "ip": f"8.8.{number % 256}.8",
                "userAgent": "curl/8.0" if number % 11 == 0 else "Mozilla/5.0 (Windows NT 10.0) Firefox/140.0",
            }
            lines.write(json.dumps(click) + "\n")
        lines.write("no json\n{}\n")
    return recording, catalogue, 2


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("site", "name"),
    [
        ("redis", "small"),
        pytest.param("kafka", "small", marks=pytest.mark.kafka),
        pytest.param("kafka", "shop", marks=pytest.mark.kafka),
        ("redis", "weblog"),
    ],
    indirect=["site"],
)
def test_a_recording_gives_the_same_numbers_as_pandas(site: Site, name: str, tmp_path: Path) -> None:
    recording, catalogue, refused = _recording(name, tmp_path)
    site.run("load-lookups", "--products", str(catalogue))
    with ExitStack() as running:
        running.enter_context(site.service("enrich"))
        with site.service("aggregate") as aggregate:
            summary = site.run("replay", str(recording), "--speed", "max", "--shift-to-now")
            aggregate.send_signal(signal.SIGKILL)  # while enrich is still working, so before or during aggregate's work
        counts = _counts(summary)
        assert counts["read"] == counts["sent"] + counts["skipped"] + counts["refused"]
        assert counts["refused"] == refused or name == "weblog"
        running.enter_context(site.service("aggregate"))
        snapshot = _caught_up(site, counts["sent"])
    assert snapshot.meta.balances
    assert snapshot.meta.dead_letters == snapshot.meta.duplicates == 0
    _assert_equals_pandas(snapshot, site.enriched(counts["sent"]), counts["sent"])


def _counts(summary: str) -> dict[str, int]:
    found = {word: re.search(rf"\b{word}\b\D*([\d,]+)", summary) for word in ("read", "sent", "skipped", "refused")}
    assert all(found.values()), summary
    return {word: int(match[1].replace(",", "")) for word, match in found.items() if match}


def _caught_up(site: Site, count: int) -> Snapshot:
    client = connect(site.settings.redis_url)

    def snapshot() -> Snapshot | None:
        seen = read(client, "all", "")
        return seen if seen and seen.meta.read >= count and seen.meta.lag == 0 else None

    return eventually(snapshot, f"{count} events counted", CATCH_UP_SECONDS)


def _assert_equals_pandas(snapshot: Snapshot, events: pd.DataFrame, sent: int) -> None:
    assert len(events) == sent
    as_of_s, windows = snapshot.meta.as_of_ms // 1000, snapshot.windows
    events["second"] = events["timestamp"] // 1000
    oldest = (events["arrival_ms"] // 1000 // 1800 - 16) * 1800
    assert snapshot.meta.late == int((events["second"] < oldest).sum())

    def within(seconds: int) -> pd.DataFrame:
        return events[(events["second"] > as_of_s - seconds) & (events["second"] <= as_of_s)]

    hour = within(3600)
    for window, seconds in {"5m": 300, "15m": 900, "30m": 1800, "1h": 3600, "8h": 28_800}.items():
        assert windows.visitors[window] == within(seconds)["userId"].nunique(), window
        assert windows.views[window] == len(within(seconds)), window
    products = hour[hour["productId"].notna()].groupby("productId").size()
    expected = sorted(products.items(), key=lambda item: (-item[1], str(item[0]).encode()))[:100]
    assert list(windows.products_1h.items()) == expected
    assert windows.categories_1h == hour[hour["productId"].notna()].groupby("category").size().to_dict()
    assert windows.countries_1h == hour.groupby("country").size().to_dict()
    devices = within(600).groupby("deviceType")["userId"].nunique().to_dict()
    assert {device: count for device, count in windows.devices_10m.items() if count} == devices
    half_hours = events[events["second"] <= as_of_s].groupby(events["second"] // 1800)["userId"].nunique()
    for start_ms, visitors in windows.visitors_30m.items():
        assert visitors == half_hours.get(start_ms // 1_800_000, 0), start_ms
