"""The collector as a process: what it accepts is in the log, whatever dies."""

import gzip
import http.client
import itertools
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest

from services.collect.visitor import identity_of
from shared.privacy.pseudonyms import salt_key
from shared.privacy.rotation import period_of, pseudonym_of
from shared.runtime.redis_client import connect
from shared.runtime.settings import ServiceSettings
from shared.streams.choose import open_log
from tests.conftest import or_skip
from tests.support.polling import eventually
from tests.support.servers.collector import Collector, running_collector
from tests.support.servers.event_logs import Owner, a_group, values
from tests.support.servers.kafka.broker import Kafka, running_kafka
from tests.support.servers.valkey import running_valkey

SENDERS = 4
PAGE = "https://www.shop.example/a?utm_source=news"
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture
def collector(tmp_path: Path, redis_url: str) -> Iterator[Collector]:
    with running_collector(tmp_path, redis_url) as running:
        yield running


def logged(redis_url: str, broker: str | None = None) -> list[dict[str, object]]:
    """All clicks of the raw topic."""
    return [json.loads(value) for value in logged_values(redis_url, "click-data", broker)]


def logged_values(redis_url: str, topic: str, broker: str | None = None) -> list[bytes]:
    """All that a topic holds."""
    found: list[bytes] = []
    log = open_log(ServiceSettings(redis_url=redis_url, kafka_broker=broker), "test")
    with log.consumer(topic, a_group(), Owner()) as consumer:
        quiet_polls = 0
        while quiet_polls < (6 if found else 60):  # a broker that came back takes a while
            records = consumer.poll(5_000, 0.5)
            found += values(records)
            quiet_polls = 0 if records else quiet_polls + 1
    return found


def test_an_event_becomes_a_click_of_its_visitor(collector: Collector, redis_url: str) -> None:
    headers = {"User-Agent": AGENT, "Origin": "https://www.shop.example"}
    event = {"url": PAGE, "referrer": "https://news.example/", "value": 19.90, "currency": "eur", "eventId": "e-1"}
    before_ms = time.time() * 1000
    reply = collector.send(
        [event, {"url": PAGE, "userId": "mallory", "ip": "9.9.9.9", "eventType": "signup"}], headers=headers
    )
    assert (reply.status, reply.json()) == (202, {"accepted": 2})
    assert reply.headers["access-control-allow-origin"] == "https://www.shop.example"
    first, second = sorted(logged(redis_url), key=lambda click: str(click.get("eventType")))
    first_ms = first.pop("timestamp")
    assert isinstance(first_ms, int)
    assert before_ms - 1 <= first_ms <= time.time() * 1000
    with connect(redis_url) as client:
        salt = client.get(salt_key("", period_of(first_ms, "daily"), "collect"))
    assert isinstance(salt, bytes)
    visitor = pseudonym_of(identity_of("127.0.0.1", AGENT, "shop.example"), salt)
    assert first == {
        "userId": visitor, "ip": "127.0.0.1", "userAgent": AGENT, "url": PAGE, "referrer": "https://news.example/",
        "site": "shop.example", "value": "19.9", "currency": "EUR", "eventId": "e-1",
    }  # fmt: skip
    assert (second["userId"], second["ip"], second["eventType"]) == (visitor, "127.0.0.1", "signup")


def test_what_is_refused_is_answered_counted_and_kept(collector: Collector, redis_url: str) -> None:
    mixed = collector.send([{"url": PAGE}, {"url": PAGE, "value": "a lot"}, 5])
    assert mixed.status == 202
    assert [(refused["index"], refused["error"]) for refused in mixed.json()["refused"]] == [
        (1, "wrong_type"), (2, "not_an_object"),
    ]  # fmt: skip
    wrong = collector.send({"url": PAGE, "timestamp": "yesterday"})
    assert (wrong.status, wrong.json()["error"], wrong.json()["field"]) == (400, "bad_timestamp", "timestamp")
    assert collector.send(b"{").status == 400
    assert collector.send(gzip.compress(bytes(9 << 20)), headers={"Content-Encoding": "gzip"}).status == 413
    assert collector.send({"url": PAGE}, headers={"Cookie": "clickpulse_opt_out=1"}).json() == {"accepted": 0}
    assert collector.send(path="/nowhere", method="GET").status == 404
    assert collector.send(method="GET").status == 405
    *letters, no_json = logged_values(redis_url, "click-data-dlq")
    assert [json.loads(letter) for letter in letters] == [
        [{"url": PAGE}, {"url": PAGE, "value": "a lot"}, 5], {"url": PAGE, "timestamp": "yesterday"},
    ]  # fmt: skip
    assert no_json == b"{"
    assert len(logged(redis_url)) == 1
    assert collector.send({"url": PAGE}, headers={"Sec-GPC": "1"}).json() == {"accepted": 1}
    assert collector.send({"url": PAGE}, headers={"Sec-GPC": "1"}).json() == {"accepted": 1}
    assert collector.send({"url": PAGE}, headers={"DNT": "1"}).json() == {"accepted": 1}
    unfollowed = [click["userId"] for click in logged(redis_url)]
    assert len(set(unfollowed)) == 2 or time.time() % 1_800 < 60
    metrics = collector.ask_health("/metrics").body.decode()
    assert 'clickpulse_privacy_signals_total{service="collect",signal="gpc"} 2.0' in metrics
    assert 'clickpulse_privacy_signals_total{service="collect",signal="dnt"} 1.0' in metrics
    counted = Counter(collector.collected())
    assert counted == {
        "accepted": 4, "wrong_type": 1, "not_an_object": 1, "bad_timestamp": 1, "not_json": 1, "too_large": 1,
        "opted_out": 1,
    }  # fmt: skip


def test_without_its_log_it_answers_503_and_recovers(tmp_path: Path) -> None:
    with (
        or_skip(lambda: running_kafka(tmp_path)) as kafka,
        running_valkey(tmp_path) as url,
        running_collector(tmp_path, url, KAFKA_BROKER=kafka.address) as collector,
    ):
        assert collector.send({"url": PAGE, "eventId": "before"}).status == 202
        kafka.kill()
        replies = [collector.send({"url": PAGE, "eventId": f"away-{number}"}) for number in range(3)]
        assert {reply.status for reply in replies} == {503}
        assert replies[0].headers["retry-after"] == "2"
        assert "log" in collector.health()["failures"]
        kafka.start()
        eventually(lambda: collector.send({"url": PAGE, "eventId": "after"}).status == 202, "events are accepted again")
        eventually(collector.is_ready, "health is good again")
        logged_ids = {str(click["eventId"]) for click in logged(url, broker=kafka.address)}
        assert {"before", "after"} <= logged_ids
        sent = collector.collected()
        assert sent["log_unavailable"] >= 3
        assert sent["accepted"] == 2


def test_it_starts_without_its_log_and_says_so(tmp_path: Path) -> None:
    with or_skip(lambda: running_kafka(tmp_path)) as kafka, running_valkey(tmp_path) as url:
        kafka.kill()
        collector = Collector(tmp_path, url, KAFKA_BROKER=kafka.address)
        try:
            collector.start_unready()
            assert collector.send({"url": PAGE}).status == 503
            kafka.start()
            eventually(collector.is_ready, "it is ready")
            assert collector.send({"url": PAGE}).status == 202
        finally:
            collector.kill()


class Sender:
    """A browser's user agent that sends numbered events until each is accepted, as SDKs do."""

    def __init__(self, collector: Collector, number: int, *, has_ids: bool) -> None:
        self.accepted = 0
        self._collector, self._number, self._has_ids = collector, number, has_ids

    def run(self, stop: Event) -> None:
        for number in itertools.count():
            if stop.is_set():
                return
            event = {"url": f"https://shop.example/{self._number}"}
            if self._has_ids:
                event["eventId"] = f"{self._number}-{number}"
            while not self._is_accepted(event):
                time.sleep(0.05)
            self.accepted += 1

    def _is_accepted(self, event: dict[str, str]) -> bool:
        try:
            headers = {"User-Agent": f"{AGENT} {self._number}"}
            return self._collector.send(event, headers=headers).status == 202
        except (OSError, http.client.HTTPException):
            return False


@contextmanager
def running_on_kafka(folder: Path) -> Iterator[tuple[Kafka, str, Collector]]:
    """A Kafka, the URL of a Redis, and a collector for as many events as it can take."""
    with (
        or_skip(lambda: running_kafka(folder)) as kafka,
        running_valkey(folder) as url,
        running_collector(folder, url, KAFKA_BROKER=kafka.address, COLLECT_EVENTS_PER_SECOND="100000") as collector,
    ):
        yield kafka, url, collector


@contextmanager
def counting_services(kafka: Kafka, redis_url: str, folder: Path) -> Iterator[None]:
    environment = {"KAFKA_BROKER": kafka.address, "REDIS_URL": redis_url, "STATE_DIR": str(folder / "state")}
    with ExitStack() as stack:
        for service in ("enrich", "aggregate"):
            log = stack.enter_context((folder / f"{service}.log").open("wb"))
            process = subprocess.Popen(
                [sys.executable, "-m", "services.cli", service],
                env={**os.environ, **environment},
                stdout=log,
                stderr=log,
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
        yield


def sent_while_killing(collector: Collector, victims: Sequence[Collector | Kafka]) -> list[Sender]:
    """Senders that sent all the while; the last one's events have no ids."""
    pauses = random.Random(634_958)
    stop = Event()
    senders = [Sender(collector, number, has_ids=number != SENDERS) for number in range(SENDERS + 1)]
    threads = [Thread(target=sender.run, args=(stop,)) for sender in senders]
    for thread in threads:
        thread.start()
    for victim in victims:
        time.sleep(pauses.uniform(0.5, 2.5))
        victim.kill()
        victim.start()
    time.sleep(2)
    stop.set()
    for thread in threads:
        thread.join()
    assert min(sender.accepted for sender in senders) > 20
    return senders


@pytest.mark.slow
@pytest.mark.kafka
@pytest.mark.timeout(400)
def test_accepted_events_count_once_though_collector_and_broker_are_killed(tmp_path: Path) -> None:
    with running_on_kafka(tmp_path) as (kafka, url, collector), counting_services(kafka, url, tmp_path):
        *identified, nameless = sent_while_killing(collector, (collector, kafka, collector, kafka, collector))
        expected = sum(sender.accepted for sender in identified)
        with connect(url) as client:

            def pages() -> dict[str, int] | None:
                meta = client.hgetall("rollup:meta")
                if meta.get(b"lag") != b"0":
                    return None
                members = client.zrange("rollup:all:pages:1h", 0, -1, withscores=True)
                counts = {page.decode(): int(events) for page, events in members}
                total = sum(counts.get(f"/{number}", 0) for number in range(SENDERS))
                return counts if total >= expected else None

            eventually(pages, f"{expected} events are counted", 120)
            time.sleep(3)
            counts = eventually(pages, "they stay counted")
        assert {number: counts[f"/{number}"] for number in range(SENDERS)} == {
            number: sender.accepted for number, sender in enumerate(identified)
        }
        assert counts[f"/{SENDERS}"] >= nameless.accepted
        clicks = logged(url, broker=kafka.address)
    ids = {(click["userId"], click["eventId"]) for click in clicks if "eventId" in click}
    # A repeated id has the same visitor, so that aggregate takes it for a repeat.
    assert sorted(str(event_id) for _, event_id in ids) == sorted(
        f"{number}-{place}" for number, sender in enumerate(identified) for place in range(sender.accepted)
    )
