"""The enrich service as its own process, from the raw topic to the enriched one and the dead letters."""

import gzip
import os
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from shared.events.enriched import decode_enriched
from shared.events.raw import encode_raw
from shared.events.refusals import Origin, Reason, Refusal, dead_letter_headers, dead_letter_topic
from shared.events.schema import EnrichedEvent, RawEvent
from shared.runtime.redis_client import connect
from shared.runtime.settings import ServiceSettings
from shared.streams.choose import open_log
from shared.streams.event_log import Assignment, FromCommitted, LogUnavailable, NewRecord, Record, TopicSpec

pytestmark = pytest.mark.timeout(600)

DEADLINE_SECONDS = 120.0
STOP_SECONDS = 10.0
PARTITIONS = 2


@dataclass(frozen=True)
class Site:
    """Where the services of one test meet; topics and keys of its own."""

    environment: dict[str, str]
    settings: ServiceSettings

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "services.cli", *arguments],
            env=os.environ | self.environment,
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
            check=False,
        )

    @contextmanager
    def enrich(self, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
        command = [sys.executable, "-m", "services.cli", "enrich"]
        with subprocess.Popen(command, env=os.environ | self.environment | environment) as process:
            try:
                yield process
            finally:
                process.kill()

    def send(self, values: Sequence[bytes], key: bytes | None = None) -> None:
        with closing(open_log(self.settings, "test")) as log, log.producer() as producer:
            producer.send([NewRecord(self.settings.raw_topic, key, value) for value in values])

    def read(self, topic: str, at_least: int, quiet_seconds: float = 1.0) -> list[Record]:
        """All records of a topic, once there are at least `at_least` and none has arrived for `quiet_seconds`."""
        records: list[Record] = []
        deadline = time.monotonic() + DEADLINE_SECONDS
        quiet_since = time.monotonic()
        with (
            closing(open_log(self.settings, "test")) as log,
            log.consumer(topic, f"test-{uuid.uuid4().hex}", FromTheStart()) as consumer,
        ):
            while len(records) < at_least or time.monotonic() - quiet_since < quiet_seconds:
                assert time.monotonic() < deadline, f"{len(records)} of {at_least} records in {topic}"
                with suppress(LogUnavailable):  # transient: a busy broker answers late
                    if batch := consumer.poll(1_000, 0.5):
                        records += batch
                        quiet_since = time.monotonic()
        return records

    def enriched(self, at_least: int) -> list[EnrichedEvent]:
        events = []
        for record in self.read(self.settings.enriched_topic, at_least):
            event = decode_enriched(record.value)
            assert isinstance(event, EnrichedEvent)
            assert record.key == event.userId.encode()
            events.append(event)
        return events


class FromTheStart:
    def on_assigned(self, assignment: Assignment) -> FromCommitted:  # noqa: ARG002 - the protocol has it
        return FromCommitted()

    def on_revoked(self, partition: int) -> None: ...


@pytest.fixture(params=["redis", pytest.param("kafka", marks=pytest.mark.kafka)])
def site(request: pytest.FixtureRequest, redis_url: str) -> Site:
    name = uuid.uuid4().hex[:8]
    environment = {
        "REDIS_URL": redis_url,
        "REDIS_PREFIX": f"{name}:",
        "RAW_TOPIC": f"raw-{name}",
        "ENRICHED_TOPIC": f"enriched-{name}",
        "PARTITIONS": str(PARTITIONS),
        "KAFKA_BROKER": request.getfixturevalue("kafka_broker") if request.param == "kafka" else "",
        "LOG_FORMAT": "console",
    }
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in environment.items():
            patch.setenv(variable, value)
        settings = ServiceSettings()
    raw, enriched = settings.raw_topic, settings.enriched_topic
    with closing(open_log(settings, "test")) as log:
        log.ensure_topics(
            [TopicSpec(topic, PARTITIONS, 24 * 3_600_000) for topic in (raw, enriched, dead_letter_topic(raw))]
        )
    return Site(environment, settings)


def click(number: int, user: str) -> bytes:
    now_ms = time.time_ns() // 1_000_000
    return encode_raw(RawEvent(timestamp=now_ms, userId=user, productId="V1", eventId=str(number), ip="81.2.69.142"))


def test_clicks_are_enriched_with_what_was_loaded_and_the_rest_are_dead_letters(site: Site, tmp_path: Path) -> None:
    products, visitors = tmp_path / "products.csv", tmp_path / "visitors.ndjson.gz"
    products.write_text("productId,category,title\nV1,vases,Größe 2\n,none,none\n")
    visitors.write_bytes(gzip.compress(b'{"userId":"ada","gender":"F","birthDate":"1990-09-22"}\n'))
    loaded = site.run("load-lookups", "--products", str(products), "--visitors", str(visitors))
    assert loaded.returncode == 0, loaded.stderr
    assert loaded.stdout.splitlines() == [
        "products: 1 loaded, 1 refused",
        "  refused 1: no productId",
        "visitors: 1 loaded, 0 refused",
    ]
    far_ahead = encode_raw(RawEvent(timestamp=time.time_ns() // 1_000_000 + 3_600_000, userId="ada"))
    bad = [b"nonsense", b"\xff\xfe", b"[1]", b'{"userId":"ada"}', far_ahead]
    with site.enrich(EXPOSE_PII="true") as process:
        site.send([click(1, "ada"), *bad, click(2, "bea")], key=b"as sent")
        events = {event.userId: event for event in site.enriched(2)}
        letters = site.read(dead_letter_topic(site.settings.raw_topic), len(bad))
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_SECONDS) == 0
    assert events.keys() == {"ada", "bea"}
    ada = events["ada"]
    assert (ada.category, ada.title, ada.gender, ada.birthdate) == ("vases", "Größe 2", "F", "1990-09-22")
    assert (ada.country, ada.deviceType) == ("United Kingdom", "Other")
    assert (events["bea"].gender, events["bea"].category) == ("U", "vases")
    assert sorted(letter.value for letter in letters) == sorted(bad)
    assert {letter.key for letter in letters} == {b"as sent"}
    raw = {(record.partition, record.offset): record for record in site.read(site.settings.raw_topic, 7)}
    for letter in letters:
        headers = dict(letter.headers)
        origin = raw[int(headers["partition"]), int(headers["offset"])]
        assert (origin.value, origin.timestamp_ms) == (letter.value, int(headers["timestamp"]))
        assert (headers["service"], headers["topic"]) == (b"enrich", site.settings.raw_topic.encode())
    assert Counter(dict(letter.headers)["reason"] for letter in letters) == Counter(
        [b"not_json", b"not_utf8", b"not_an_object", b"missing_field", b"future"]
    )


def test_dead_letters_are_counted_listed_shown_and_sent_again_once(site: Site) -> None:
    good = click(1, "ada")
    dead_letters = dead_letter_topic(site.settings.raw_topic)
    origin = Origin("enrich", site.settings.raw_topic, 0, 7, time.time_ns() // 1_000_000)
    refused_by_an_older_version = dead_letter_headers(Refusal(Reason.WRONG_TYPE, "too old"), origin)
    with closing(open_log(site.settings, "test")) as log, log.producer() as producer:
        producer.send([NewRecord(dead_letters, b"ada", good, refused_by_an_older_version)])
    with site.enrich() as process:
        site.send([b"nonsense\x1b[2J", b"[1]"])
        site.read(dead_letters, 3)
        counted = site.run("dead-letters", "count", "--since", "1h")
        assert counted.returncode == 0, counted.stderr
        counts = [line.split() for line in counted.stdout.splitlines()]
        assert counts[:4] == [
            ["1", "not_an_object"],
            ["1", "not_json"],
            ["1", "wrong_type"],
            ["3", "in", dead_letters],
        ]
        listed = site.run("dead-letters", "list", "--reason", "not_json")
        (line,) = listed.stdout.splitlines()
        assert "not_json" in line
        assert line.endswith("nonsense\\x1b[2J")
        place = line.split()[1]
        assert "origin:" in site.run("dead-letters", "show", place).stdout
        assert site.run("dead-letters", "show", "--raw", place).stdout == "nonsense\x1b[2J"
        assert site.run("dead-letters", "show", "9:9").returncode == 1
        refused = ["  refused 1: not_an_object", "  refused 1: not_json"]
        for options, said in (
            (["--dry-run"], ["1 would be sent, 0 sent before, 2 still refused", *refused]),
            (["--reason", "not_json"], ["0 sent, 0 sent before, 1 still refused", refused[1]]),
            ([], ["1 sent, 0 sent before, 2 still refused", *refused]),
            ([], ["0 sent, 1 sent before, 2 still refused", *refused]),
        ):
            replayed = site.run("dead-letters", "replay", *options)
            assert replayed.returncode == 0, replayed.stderr
            assert replayed.stdout.splitlines() == [f"{site.settings.raw_topic}: {said[0]}", *said[1:]]
        assert [event.eventId for event in site.enriched(1)] == ["1"]
        assert len(site.read(dead_letters, 3)) == 3
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_SECONDS) == 0


def test_only_one_replay_runs_at_a_time(site: Site) -> None:
    dead_letters = dead_letter_topic(site.settings.raw_topic)
    with connect(site.settings.redis_url) as client:
        client.set(f"{site.settings.redis_prefix}enrich:replay-lock:{dead_letters}", "another", ex=60)
    replayed = site.run("dead-letters", "replay")
    assert replayed.returncode == 3
    assert "another replay" in replayed.stderr


def test_private_clicks_have_their_country_from_a_file_and_one_pseudonym_over_restarts(
    site: Site, tmp_path: Path
) -> None:
    countries = tmp_path / "countries.mmdb"
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True)
    writer.insert_network(IPSet(["81.2.69.0/24"]), {"country": {"iso_code": "XK"}})
    writer.to_db_file(str(countries))
    options = {"HASH_USER_ID": "monthly", "TRUNCATE_IP": "true", "GEOIP_MMDB": str(countries)}
    events: list[EnrichedEvent] = []
    for number in range(2):
        with site.enrich(**options, LOOKUP_ON_FAILURE="unknown") as process:
            site.send([click(number, "ada")])
            events = site.enriched(number + 1)
            process.send_signal(signal.SIGTERM)
            assert process.wait(STOP_SECONDS) == 0
    assert [event.country for event in events] == ["Kosovo"] * 2
    assert [event.ip for event in events] == ["81.2.69.0"] * 2
    (pseudonym,) = {event.userId for event in events}
    assert len(pseudonym) == 32
    assert "ada" not in pseudonym


def test_file_of_countries_that_is_missing_ends_the_service_at_once(site: Site, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GEOIP_MMDB", str(tmp_path / "missing.mmdb"))
        ended = site.run("enrich")
    assert ended.returncode == 2
    assert "GEOIP_MMDB" in ended.stderr
    assert "missing.mmdb" in ended.stderr


def test_killed_service_enriches_every_click_once(site: Site) -> None:
    total, enriched_so_far = 20_000, 0
    site.send([click(number, f"user{number % 500}") for number in range(total)])
    for _ in range(2):
        # Small batches: of the many transactions, one is likely to be open at the kill, long before the last.
        with site.enrich(ENRICH_BATCH_RECORDS="5") as process:
            site.read(site.settings.enriched_topic, enriched_so_far + 1, quiet_seconds=0)
            process.kill()
        enriched_so_far = len(site.enriched(enriched_so_far + 1))
        assert enriched_so_far < total, "killed too late to prove anything"
    with site.enrich() as process:
        events = site.enriched(total)
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_SECONDS) == 0
    assert sorted(int(str(event.eventId)) for event in events) == list(range(total))
