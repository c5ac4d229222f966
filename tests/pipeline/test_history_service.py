"""The history service in its own process: killed at random moments, and PostgreSQL too. SQL equals what was sent."""

import json
import os
import random
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from threading import Event, Thread
from typing import Any

import psycopg
import pytest
from msgspec import UNSET
from psycopg import sql

from shared.events.enriched import encode_enriched
from shared.events.schema import EnrichedEvent
from shared.events.time_units import DAY_MS
from shared.runtime.settings import ServiceSettings
from shared.streams.choose import open_log
from shared.streams.event_log import NewRecord, TopicSpec
from tests.conftest import or_skip
from tests.support.oracle.recomputed_history import wrong_rows
from tests.support.polling import eventually
from tests.support.servers.postgres import Postgres, running_postgres
from tests.support.servers.server_process import free_port

pytestmark = pytest.mark.timeout(400)

PARTITIONS = 2
KILLS = 5
BURST = 200
MOST_WAITING = 5_000
PAUSE_SECONDS = 0.05
SALE = 7


@dataclass(frozen=True)
class Site:
    """The settings, topic and database of one test."""

    environment: dict[str, str]
    settings: ServiceSettings
    postgres: Postgres

    def start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-m", "services.cli", "history"], env=os.environ | self.environment)

    @contextmanager
    def history(self) -> Iterator[subprocess.Popen[bytes]]:
        process = self.start()
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def send(self, first: int, number: int) -> None:
        records = [
            NewRecord(self.settings.enriched_topic, user_of(place).encode(), event_of(place))
            for place in range(first, first + number)
        ]
        with closing(open_log(self.settings, "test")) as log, log.producer() as producer:
            producer.send(records)

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.postgres.url, options="-c timezone=UTC") as connection:
            return connection.execute(sql.SQL(statement)).fetchall()

    def read(self) -> int:
        """How many events SQL accounts for; 0 while it is down or empty."""
        with suppress(psycopg.Error):
            return int(self.query("SELECT coalesce(sum(kept + duplicates), 0) FROM history_offsets")[0][0])
        return 0

    def health(self) -> str:
        """What the health endpoint says; empty while there is none."""
        with suppress(urllib.error.URLError, ConnectionError), urllib.request.urlopen(self.health_url) as answer:
            return str(json.load(answer)["status"])
        return ""

    @property
    def health_url(self) -> str:
        return f"http://127.0.0.1:{self.environment['HEALTH_PORT']}/health"

    def answered_views(self) -> int:
        """What the API says of the last month."""
        url = f"http://127.0.0.1:{self.environment['HISTORY_API_PORT']}/api/v1/aggregate?window=30d&metrics=views"
        with urllib.request.urlopen(url) as answer:
            return int(json.load(answer)["rows"][0]["views"])

    def has_read(self, events: int) -> bool:
        return self.read() >= events


def user_of(place: int) -> str:
    return f"visitor-{place % 97}"


def order_of(place: int) -> str:
    return f"o{place % 2}"


def event_of(place: int) -> bytes:
    """Each event has an id of its own, but for every tenth, which has none. Some are days late.

    Every seventh is one of two orders that its visitor repeats.
    """
    now_ms = time.time_ns() // 1_000_000
    return encode_enriched(
        EnrichedEvent(
            timestamp=now_ms - (place % 5) * DAY_MS - place,
            userId=user_of(place),
            productId=f"P{place}",
            country=("DE", "FR", "IT")[place % 3],
            eventId=f"e{place}" if place % 10 else None,
            value=f"{place}.5" if place % SALE == 0 else UNSET,
            orderId=order_of(place),
        )
    )


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    with or_skip(running_postgres) as server:
        yield server


@pytest.fixture(params=["redis", pytest.param("kafka", marks=pytest.mark.kafka)])
def site(request: pytest.FixtureRequest, redis_url: str, postgres: Postgres) -> Site:
    name = uuid.uuid4().hex[:8]
    environment = {
        "REDIS_URL": redis_url,
        "REDIS_PREFIX": f"{name}:",
        "ENRICHED_TOPIC": f"enriched-{name}",
        "PARTITIONS": str(PARTITIONS),
        "KAFKA_BROKER": request.getfixturevalue("kafka_broker") if request.param == "kafka" else "",
        "KAFKA_INSTANCE_ID": "history-1",  # restarted, it has its partitions at once
        "HISTORY_URL": postgres.url,
        "HISTORY_BATCH_RECORDS": "300",
        "HEALTH_PORT": str(free_port()),
        "HISTORY_API_PORT": str(free_port()),
        "LOG_FORMAT": "console",
    }
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in environment.items():
            patch.setenv(variable, value)
        settings = ServiceSettings()
    with closing(open_log(settings, "test")) as log:
        log.ensure_topics([TopicSpec(settings.enriched_topic, PARTITIONS, 24 * 3_600_000)])
    return Site(environment, settings, postgres)


def test_kills_and_a_crash_of_postgres_lose_nothing_and_repeat_nothing(site: Site) -> None:
    chance = random.Random(20)
    sent, enough = 0, Event()

    def send() -> None:
        nonlocal sent
        known = 0
        while not enough.wait(PAUSE_SECONDS):
            known = max(known, site.read())  # while SQL is down, what is sent waits in the log
            if sent - known < MOST_WAITING:  # a busy machine stores slowly
                site.send(sent, BURST)
                sent += BURST

    sender = Thread(target=send)
    sender.start()
    process = site.start()
    try:
        for turn in range(KILLS + 1):
            eventually(partial(site.has_read, site.read() + 1), "history reads on", 120)
            time.sleep(chance.uniform(0, 1))
            if turn == KILLS // 2:
                site.postgres.crash()
                eventually(lambda: site.health() == "degraded", "history reports the outage", 60)
                site.postgres.start()
                eventually(lambda: site.health() == "healthy", "history reports its end", 60)
            else:
                process.kill()
                process.wait()
                process = site.start()
        enough.set()
        sender.join(120)
        eventually(partial(site.has_read, sent), "all events are read", 120)
        assert site.answered_views() == sent
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
    finally:
        process.kill()
        process.wait()
        enough.set()
        sender.join(120)
    products = Counter(name for (name,) in site.query("SELECT name FROM events JOIN names ON names.id = product_id"))
    assert products == Counter(f"P{place}" for place in range(sent))
    assert site.query("SELECT sum(kept), sum(duplicates + expired + erased + refused) FROM history_offsets") == [
        (sent, 0)
    ]
    assert wrong_rows(site.postgres.url) == []
    assert site.query("SELECT sum(views) FROM traffic_1d WHERE dimension = 'all'") == [(sent,)]
    orders = {(user_of(place), order_of(place)) for place in range(0, sent, SALE)}
    assert site.query("SELECT sum(orders) FROM sales_1d WHERE dimension = 'all'") == [(len(orders),)]


@pytest.mark.kafka
@pytest.mark.parametrize("site", ["kafka"], indirect=True)
def test_a_visitor_is_forgotten_while_history_hangs_with_a_backlog_of_it(site: Site) -> None:
    forgotten = user_of(3)
    with site.history() as process:
        site.send(0, 300)
        eventually(partial(site.has_read, 300), "the events are stored", 120)
        process.send_signal(signal.SIGSTOP)
        site.send(300, 300)
        command = [sys.executable, "-m", "services.cli", "forget", forgotten, "--wait", "0"]
        forget = subprocess.run(command, env=os.environ | site.environment, capture_output=True, text=True, timeout=120)
        # It knows nothing of the erasure yet when it goes on.
        process.send_signal(signal.SIGCONT)
        assert forget.returncode == 1, "aggregate does not run"
        line = next(line for line in forget.stdout.splitlines() if line.startswith("events in PostgreSQL"))
        assert line.split()[3:5] == ["4", "4"]
        site.send(600, 1)
        eventually(lambda: site.read() + erased(site) == 601, "all events are read", 120)
        stored = Counter(
            name for (name,) in site.query("SELECT v.name FROM events JOIN visitors v ON v.id = visitor_id")
        )
        assert stored == Counter(user_of(place) for place in range(601) if user_of(place) != forgotten)
        assert erased(site) == 3
        assert site.query("SELECT sum(views) FROM traffic_1d WHERE dimension = 'all'") == [(598,)]


def erased(site: Site) -> int:
    return int(site.query("SELECT sum(erased) FROM history_offsets")[0][0])
