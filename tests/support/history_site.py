"""History in its own process on a topic and database of one test, and the events that tests send it."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
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
from tests.support.servers.postgres import Postgres
from tests.support.servers.server_process import free_port

PARTITIONS = 2
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


def a_site(redis_url: str, postgres: Postgres, broker: str) -> Site:
    """A new topic and its settings, on the event log in Redis where there is no `broker`."""
    name = uuid.uuid4().hex[:8]
    environment = {
        "REDIS_URL": redis_url,
        "REDIS_PREFIX": f"{name}:",
        "ENRICHED_TOPIC": f"enriched-{name}",
        "PARTITIONS": str(PARTITIONS),
        "KAFKA_BROKER": broker,
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
