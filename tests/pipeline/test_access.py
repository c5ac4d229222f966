"""Every service at work with exactly the rights that `clickpulse access` grants, and refused what it does not."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from services.access.names import Names
from services.dashboard.sources.segment_source import SegmentSource
from shared.events.enriched import encode_enriched
from shared.events.schema import EnrichedEvent
from shared.rollups.reading import read
from shared.runtime.redis_client import connect
from shared.runtime.settings import ServiceSettings
from shared.status import keys as status_keys
from shared.status.gauges import Gauges
from shared.status.health import Health
from shared.status.reporter import reporting
from shared.streams.choose import open_log
from shared.streams.event_log import LogUnavailable, NewRecord
from tests.conftest import or_skip
from tests.support.polling import eventually
from tests.support.servers.kafka.with_rights import running_kafka_with_rights
from tests.support.servers.postgres import reachable_folder
from tests.support.servers.server_process import free_port
from tests.support.servers.valkey import running_valkey

PREFIX = "sh*p[1]:"
OFFERED = (("coat", "clothing"), ("boots", "shoes"), ("hat", "clothing"))
EVENTS = 500
SHOP = ("--rate", "2", "--visitors", "1000")
CLICKPULSE = (sys.executable, "-m", "services.cli")
# As in its image, which has no httpx2: Authlib warns about that.
GRANT = (
    sys.executable,
    "-c",
    "import sys; sys.modules['httpx2'] = None; from services.cli import main; sys.exit(main(['access', 'grant']))",
)


@dataclass(frozen=True)
class Site:
    """Servers that know only the users of `logins`."""

    logins: Path
    redis_url: str
    kafka: str | None
    folder: Path
    history: Path

    def environment(self, user: str) -> dict[str, str]:
        """What a service is started with."""
        kafka = {} if self.kafka is None else kafka_login(self.logins, self.kafka, user)
        return {
            **SITE,
            "REDIS_URL": self.redis_url,
            "REDIS_USERNAME": user,
            "REDIS_PASSWORD_FILE": str(self.logins / user / "redis-password"),
            "STATE_DIR": str(self.folder / "state"),
            "HISTORY_DIR": str(self.history / "data"),
            **(kafka if (self.logins / user / "kafka-password").exists() else {}),
        }

    def run(self, user: str, *command: str) -> None:
        done = subprocess.run(
            [*CLICKPULSE, *command],
            env=os.environ | self.environment(user),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    @contextmanager
    def service(self, name: str) -> Iterator[subprocess.Popen[bytes]]:
        with (self.folder / f"{name}.log").open("wb") as log:
            environment = os.environ | self.environment(name)
            process = subprocess.Popen([*CLICKPULSE, name], env=environment, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def settings(self, user: str) -> ServiceSettings:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.environment(user).items():
                patch.setenv(name, value)
            return ServiceSettings()

    def client(self, user: str) -> redis.Redis:
        return connect(self.settings(user).redis_url)

    def refusals(self) -> list[str]:
        """What Redis refused to whom, so far."""
        with self.client("operator") as operator:
            log: Any = operator.acl_log()
        return [f"{entry['username']}: {entry['context']} {entry['object']}" for entry in log]


SITE = {
    "REDIS_PREFIX": PREFIX,
    "RAW_TOPIC": "clicks.shop",
    "ENRICHED_TOPIC": "enriched_shop",
    "OFFERS_TOPIC": "offers-shop",
    "AGGREGATE_GROUP": "windows",
    "PARTITIONS": "2",
    "HASH_USER_ID": "daily",
    "LOG_FORMAT": "json",
    "COLLECT_PORT": str(free_port()),
}
NAMES = Names("clicks.shop", "enriched_shop", "offers-shop", "windows")


def kafka_login(logins: Path, kafka: str, user: str) -> dict[str, str]:
    return {
        "KAFKA_BROKER": kafka,
        "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "KAFKA_SASL_MECHANISM": "PLAIN",
        "KAFKA_SASL_USERNAME": user,
        "KAFKA_SASL_PASSWORD_FILE": str(logins / user / "kafka-password"),
    }


@pytest.fixture(scope="module", params=["redis", pytest.param("kafka", marks=pytest.mark.kafka)])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site whose servers have been given exactly what `clickpulse access` writes."""
    folder = tmp_path_factory.mktemp(f"access-{request.param}")
    logins = folder / "logins"
    names_kafka = {"KAFKA_BROKER": "kafka:9092"} if request.param == "kafka" else {}
    write = [*CLICKPULSE, "access", "write", str(logins)]
    for _ in range(2):  # the second time keeps the passwords
        subprocess.run(write, env=os.environ | SITE | names_kafka, check=True, capture_output=True)
    with ExitStack() as servers:
        url = servers.enter_context(or_skip(lambda: running_valkey(folder, acl_file=logins / "redis" / "users.acl")))
        kafka = None
        if request.param == "kafka":
            kafka = servers.enter_context(or_skip(lambda: running_kafka_with_rights(folder, logins / "kafka")))
            grant = os.environ | SITE | kafka_login(logins, kafka, "operator")
            granting = subprocess.run(GRANT, env=grant, check=True, capture_output=True, text=True, timeout=120)
            assert "Warning" not in granting.stderr, "everything that it logs is JSON"
        yield Site(logins, url, kafka, folder, servers.enter_context(reachable_folder()))


WORKERS = ("collect", "enrich", "aggregate", "detect", "history")


@pytest.mark.slow
@pytest.mark.timeout(900)  # seven processes start at once
def test_every_service_works_with_its_rights_alone(site: Site) -> None:
    lookups = site.folder / "lookups"
    site.run("traffic", "generate", *SHOP, "--lookups", str(lookups))
    files = (f"--products={lookups / 'products.json'}", f"--visitors={lookups / 'visitors.ndjson'}")
    site.run("lookups", "load-lookups", *files, "--prune")
    with ExitStack() as services:
        processes = {name: services.enter_context(site.service(name)) for name in WORKERS}
        site.run("traffic", "generate", *SHOP, "--history", "10m", "--count", str(EVENTS))
        append(site, "traffic", NewRecord(NAMES.raw, b"visitor", b"not JSON"))
        day_ms = 86_400_000
        before_midnight_ms = now_ms() // day_ms * day_ms - 900_000  # the session may go on after the rotation
        click: dict[str, Any] = {"url": "https://shop.example/coat"}
        bad = click | {"value": {}}  # kept as a dead letter
        eventually(lambda: accepts([click, click | {"timestamp": before_midnight_ms}, bad]), "clicks over HTTP", 120)
        append(site, "enrich", *offered())  # what enrich writes, and aggregate refuses
        append(site, "enrich", NewRecord(NAMES.enriched, b"visitor", b"not JSON"))
        settings = site.settings("dashboard")
        with connect(settings.redis_url) as client, reporting("dashboard", settings, Health("dashboard"), Gauges()):
            explored = SegmentSource(client, PREFIX, now_ms=now_ms, elapsed_seconds=time.monotonic)
            eventually(lambda: shown(client) >= EVENTS, "the numbers", 120)
            eventually(lambda: explored.look().end_minute - explored.look().first_minute > 5, "minutes", 120)
            eventually(lambda: state_log(client), "the state log", 120)
            eventually(lambda: stored(client) >= EVENTS, "the events in history", 120)
            eventually(lambda: reporting_services(client) >= {*WORKERS, "dashboard"}, "the status")
            eventually(lambda: dead_letters(client) == {"collect", "enrich", "aggregate"}, "the dead letters", 120)
        for name, process in processes.items():
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0, (site.folder / f"{name}.log").read_text()
    assert site.refusals() == []
    for name in processes:
        log = (site.folder / f"{name}.log").read_text()
        assert "uthoriz" not in log
        assert "cannot read a topic's configuration" not in log


def accepts(clicks: list[dict[str, Any]]) -> bool:
    """Whether the collector accepts at least one."""
    url = f"http://127.0.0.1:{SITE['COLLECT_PORT']}/v1/events"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, json.dumps(clicks).encode()), timeout=10) as answer:
            return bool(answer.status == 202)
    except (urllib.error.URLError, ConnectionError):  # not started yet, or the log is not ready
        return False


def append(site: Site, user: str, *records: NewRecord) -> None:
    with closing(open_log(site.settings(user), "test")) as log, log.producer() as producer:
        eventually(lambda: sent(producer, records), "the records to be sent")


def sent(producer: Any, records: tuple[NewRecord, ...]) -> bool:
    try:
        producer.send(records)
    except LogUnavailable:
        return False  # the topic is being created
    return True


def offered() -> Iterator[NewRecord]:
    """The path to an offer."""
    for product, category in OFFERED:
        event = EnrichedEvent(
            timestamp=now_ms(), userId="ada", productId=product, category=category, gender="F", age=30
        )
        yield NewRecord(NAMES.enriched, b"ada", encode_enriched(event))


def shown(client: redis.Redis) -> int:
    snapshot = read(client, "all", PREFIX)
    return 0 if snapshot is None else snapshot.meta.counted


def state_log(client: redis.Redis) -> bool:
    snapshot = read(client, "all", PREFIX)
    return snapshot is not None and bool(snapshot.state_log)


def stored(client: redis.Redis) -> int:
    """How many events history reports."""
    return sum(own.events for own in status_keys.read(client, PREFIX).replicas if own.service == "history")


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def reporting_services(client: redis.Redis) -> set[str]:
    return {status.service for status in status_keys.read(client, PREFIX).replicas}


def dead_letters(client: redis.Redis) -> set[str]:
    return {status.service for status in status_keys.read(client, PREFIX).replicas if status.dead_letters}


KEYS = {
    "status:replicas:dashboard": {"dashboard"},
    "status:transitions:dashboard": {"dashboard"},
    "status:replicas:enrich": {"enrich"},
    "status:replicas:collect": {"collect"},
    "collect:salt:2026-11-22": {"collect"},
    "collect:crossing:2026-11-22": {"collect"},
    "status:transitions:aggregate": {"aggregate"},
    "status:replicas:replay": {"traffic"},
    "rollup:meta": {"aggregate"},
    "segment:2026-11-22T10:30:00Z:0": {"aggregate"},
    "raw_data": {"aggregate"},
    "aggregate:publisher": {"aggregate"},
    "privacy:honoured": {"aggregate"},
    "privacy:erasures": {"aggregate"},  # restores the list in a Redis that lost it
    "privacy:sites": {"aggregate"},
    "state_logs": {"detect"},
    "detect:ada": {"detect"},
    "product:coat": {"lookups"},
    "visitor:ada": {"lookups"},
    "enrich:salt:2026-11-22": {"enrich"},
    "enrich:lookup-key": {"enrich", "lookups"},
    "clicks.shop:0": {"collect", "traffic", "enrich"},  # who reads a stream repairs it
    "clicks.shop-dlq:1": {"collect", "enrich", "traffic"},
    "enriched_shop:0": {"enrich", "aggregate", "detect", "history"},
    "enriched_shop-dlq:0": {"aggregate", "history"},
    "offers-shop:0": {"detect"},
    "offers-shop-dlq:0": {"detect"},
    "log:clicks.shop:enrich": {"enrich"},
    "log:enriched_shop:windows:owner": {"aggregate"},
    "log:enriched_shop:detect": {"detect"},
    "log:enriched_shop:history": {"history"},
    "log:topics": {"collect", "enrich", "aggregate", "detect", "history", "traffic"},
    "anything": set(),
}
"""Who may write each kind of key, without the prefix. The log's keys are nobody's with Kafka."""

LOG = ("clicks.shop", "enriched_shop", "offers-shop", "log:")
USERS = {"collect", "enrich", "aggregate", "detect", "history", "dashboard", "traffic", "lookups", "health"}
FORBIDDEN = (
    ("FLUSHALL",),
    ("FLUSHDB",),
    ("KEYS", "*"),
    ("CONFIG", "SET", "maxmemory", "1"),
    ("ACL", "SETUSER", "me", "on"),
    ("CLIENT", "KILL", "TYPE", "normal"),
    ("CLIENT", "PAUSE", "1000"),
    ("EVAL", "return 1", "0"),
    ("SHUTDOWN",),
    ("DEBUG", "SLEEP", "1"),
    ("MONITOR",),
    ("REPLICAOF", "host", "1"),
    ("PUBLISH", "channel", "x"),
    ("SUBSCRIBE", "channel"),
    ("SCRIPT", "FLUSH"),
    ("FUNCTION", "FLUSH"),
    ("MEMORY", "PURGE"),
)


def test_a_service_writes_only_its_own_keys(site: Site) -> None:
    with site.client("operator") as operator:
        writers = {
            key: {user for user in USERS if any(may(operator, user, *write) for write in writes(PREFIX + key))}
            for key in KEYS
        }
        stray = {user for user in USERS for key in KEYS for write in writes(key) if may(operator, user, *write)}
    expected = {
        key: set() if site.kafka is not None and key.startswith(LOG) else writers for key, writers in KEYS.items()
    }
    assert writers == expected
    assert stray == set()  # without the prefix, or under one that its special characters would match


def writes(key: str) -> list[tuple[str, ...]]:
    return [
        ("SET", key, "x"),
        ("HSET", key, "f", "x"),
        ("XADD", key, "*", "v", "x"),
        ("ZADD", key, "1", "x"),
        ("RPUSH", key, "x"),
        ("DEL", key),
        ("UNLINK", key),
        ("EXPIRE", key, "1"),
        ("RENAME", key, key),
        ("COPY", "product:x", key),
        ("RESTORE", key, "0", "x"),
    ]


def may(operator: Any, user: str, *command: str) -> bool:
    return bool(operator.execute_command("ACL DRYRUN", user, *command) == b"OK")


def test_no_service_may_read_what_it_does_not_need(site: Site) -> None:
    with site.client("operator") as operator:
        secret = [
            (user, key)
            for user in sorted(USERS)
            for key in (
                "enrich:salt:2026-11-22",
                "collect:salt:2026-11-22",
                "visitor:ada",
                "detect:ada",
                "clicks.shop:0",
            )
            for read in (("GET",), ("HGETALL",), ("HMGET", "f"), ("XRANGE", "-", "+"), ("DUMP",))
            if may(operator, user, read[0], PREFIX + key, *read[1:])
        ]
    assert set(secret) == {
        ("collect", "collect:salt:2026-11-22"),
        ("detect", "detect:ada"),
        ("enrich", "enrich:salt:2026-11-22"),
        ("enrich", "visitor:ada"),
    } | ({("enrich", "clicks.shop:0")} if site.kafka is None else set())


def test_nobody_but_the_operator_may_administer_redis(site: Site) -> None:
    with site.client("operator") as operator:
        allowed = [(user, command) for user in USERS for command in FORBIDDEN if may(operator, user, *command)]
    assert allowed == []


def test_redis_refuses_for_real(site: Site) -> None:
    with site.client("dashboard") as dashboard:
        with pytest.raises(redis.exceptions.NoPermissionError):
            dashboard.hset(f"{PREFIX}rollup:meta", "counted", 1)
        with pytest.raises(redis.exceptions.NoPermissionError):
            dashboard.hset(f"{PREFIX}status:replicas:enrich", "me", "{}")
    with connect(site.redis_url) as stranger, pytest.raises(redis.exceptions.AuthenticationError):
        stranger.ping()


@pytest.mark.kafka
def test_kafka_refuses_what_is_not_granted(site: Site) -> None:
    if site.kafka is None:
        pytest.skip("this site has no Kafka")
    refused = {
        "detect writes clicks": produces(site, "detect", NAMES.raw),
        "traffic writes enriched clicks": produces(site, "traffic", NAMES.enriched),
        "collect writes enriched clicks": produces(site, "collect", NAMES.enriched),
        "collect reads clicks": consumes(site, "collect", NAMES.raw, "collect"),
        "traffic reads clicks": consumes(site, "traffic", NAMES.raw, "traffic"),
        "enrich reads for aggregate": consumes(site, "enrich", NAMES.raw, NAMES.aggregate_group),
        "detect reads clicks": consumes(site, "detect", NAMES.raw, "detect"),
        "enrich ends detect's transactions": transacts(site, "enrich", "detect-1"),
        "aggregate deletes clicks": administers(site, "aggregate", lambda admin: admin.delete_topics([NAMES.raw])),
        "enrich creates any topic": administers(site, "enrich", lambda admin: admin.create_topics([NewTopic("x", 1)])),
    }
    assert refused == {
        "detect writes clicks": "TOPIC_AUTHORIZATION_FAILED",
        "traffic writes enriched clicks": "TOPIC_AUTHORIZATION_FAILED",
        "collect writes enriched clicks": "TOPIC_AUTHORIZATION_FAILED",
        "collect reads clicks": "GROUP_AUTHORIZATION_FAILED",
        "traffic reads clicks": "GROUP_AUTHORIZATION_FAILED",
        "enrich reads for aggregate": "GROUP_AUTHORIZATION_FAILED",
        "detect reads clicks": "TOPIC_AUTHORIZATION_FAILED",
        "enrich ends detect's transactions": "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
        "aggregate deletes clicks": "TOPIC_AUTHORIZATION_FAILED",
        "enrich creates any topic": "TOPIC_AUTHORIZATION_FAILED",
    }


def client_options(site: Site, user: str) -> dict[str, Any]:
    settings = site.settings(user)
    return {
        "bootstrap.servers": settings.kafka_broker,
        "security.protocol": settings.kafka_security_protocol,
        "sasl.mechanism": settings.kafka_sasl_mechanism,
        "sasl.username": settings.kafka_sasl_username,
        "sasl.password": settings.kafka_sasl_password,
        "log_level": 0,
    }


def produces(site: Site, user: str, topic: str) -> str:
    failures: list[KafkaError] = []
    producer = Producer(client_options(site, user))
    producer.produce(topic, b"x", on_delivery=lambda error, _: failures.append(error))
    producer.flush(60)
    (failure,) = failures
    return "delivered" if failure is None else str(failure.name())


def consumes(site: Site, user: str, topic: str, group: str) -> str:
    consumer = Consumer(client_options(site, user) | {"group.id": group, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    try:
        message: Any = eventually(lambda: consumer.poll(0.2), "an answer")
        return "read" if message.error() is None else str(message.error().name())
    finally:
        consumer.close()


def transacts(site: Site, user: str, transactional_id: str) -> str:
    producer = Producer(client_options(site, user) | {"transactional.id": transactional_id})
    try:
        producer.init_transactions(60)
    except KafkaException as error:
        return str(error.args[0].name())
    return "begun"


def administers(site: Site, user: str, ask: Callable[[AdminClient], Any]) -> str:
    admin = AdminClient(client_options(site, user))
    (answer,) = ask(admin).values()
    try:
        answer.result(60)
    except KafkaException as error:
        return str(error.args[0].name())
    return "done"
