"""Servers for tests. A missing one skips the test on a laptop and fails it when CI is set."""

import logging
import os
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
import redis
import structlog
from hypothesis import settings

from tests.support.servers.kafka.broker import Kafka, running_kafka
from tests.support.servers.server_process import ServerMissing
from tests.support.servers.valkey import running_valkey

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.support.servers.postgres import Postgres

Server = TypeVar("Server")

settings.register_profile("untimed", deadline=None)  # a busy machine is no failure
settings.load_profile("untimed")

_LONGEST_FIRST = (
    "tests/faults/test_kafka",
    "tests/contract/test_kafka_membership",
    "tests/browser/test_explore",
    "tests/attacks/test_foreign",
    "tests/pipeline/test_stopping",
    "tests/pipeline/test_prove",
    "tests/pipeline/test_history",
    "tests/pipeline/test_enrich",
    "tests/browser/test_live",
    "tests/pipeline/test_replicas",
    "tests/browser/test_operations",
    "tests/faults/",
    "tests/contract/test_kafka",
    "tests/browser/test_deep",
    "tests/pipeline/",
    "tests/browser/",
    "tests/contract/",
)
"""Files that take long: a long one that starts last would keep one worker busy while the others idle.

The browser uses the processors and the others mostly wait, so they take turns.
"""
# Removed from the environment, because the services under test read it: each test names its event log.
_GIVEN_BROKER = os.environ.pop("KAFKA_BROKER", None)


def pytest_xdist_auto_num_workers() -> int:
    """Two workers per core: tests that start processes wait half of the time."""
    return 2 * (os.cpu_count() or 1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first when parallel workers share them. Without workers keep pytest's order."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: _rank(item.nodeid))


def _rank(node_id: str) -> int:
    return next((rank for rank, start in enumerate(_LONGEST_FIRST) if node_id.startswith(start)), len(_LONGEST_FIRST))


@pytest.fixture(scope="session", autouse=True)
def loggers_without_memory() -> Iterator[None]:
    """Commands that tests run in this process set up logs as in their own, where loggers are cached on first use.

    `capture_logs` of a later test would see nothing of a cached logger.
    """
    configure = structlog.configure

    def configure_anew(**options: Any) -> None:
        configure(**{**options, "cache_logger_on_first_use": False})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(structlog, "configure", configure_anew)
        yield


@pytest.fixture(autouse=True)
def logs_of_this_test() -> Iterator[None]:
    """Undo what a command that the test runs in this process does to logs, so that no later test depends on it."""
    root, was_configured, configuration = logging.getLogger(), structlog.is_configured(), structlog.get_config()
    level, record_factory = root.level, logging.getLogRecordFactory()
    with pytest.MonkeyPatch.context() as kept:
        for owner, name in (
            (root, "handlers"),
            (logging, "raiseExceptions"),
            (sys, "excepthook"),
            (sys, "unraisablehook"),
            (threading, "excepthook"),
        ):
            kept.setattr(owner, name, getattr(owner, name))
        yield
    root.setLevel(level)
    logging.setLogRecordFactory(record_factory)
    structlog.contextvars.clear_contextvars()
    if was_configured:
        structlog.configure(**configuration)
    else:
        structlog.reset_defaults()


@pytest.fixture(scope="session")
def valkey_server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Valkey for the whole run. Use `redis_url`, which empties it."""
    with or_skip(lambda: running_valkey(tmp_path_factory.mktemp("valkey"))) as url:
        yield url


@pytest.fixture
def redis_url(valkey_server_url: str) -> str:
    """The URL of a real, empty Valkey."""
    with redis.Redis.from_url(valkey_server_url) as client:
        client.flushall()
    return valkey_server_url


@pytest.fixture(scope="session")
def kafka_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real Kafka: KAFKA_BROKER of the environment, else a broker of this worker.

    Tests and other runs share it: give topics and groups a random suffix.
    """
    if _GIVEN_BROKER:
        yield _GIVEN_BROKER
        return
    with or_skip(lambda: running_kafka(tmp_path_factory.mktemp("kafka"))) as kafka:
        yield kafka.address


@pytest.fixture
def own_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """A Kafka that the test may kill."""
    with or_skip(lambda: running_kafka(tmp_path_factory.mktemp("kafka"))) as kafka:
        yield kafka


@pytest.fixture(scope="session")
def postgres_server() -> Iterator["Postgres"]:
    """A real PostgreSQL for the whole run. Use `history_url`, which is a database of its own."""

    def start() -> AbstractContextManager["Postgres"]:
        from tests.support.servers.postgres import running_postgres  # most workers need none

        return running_postgres()

    with or_skip(start) as server:
        yield server


@pytest.fixture
def history_url(postgres_server: "Postgres") -> str:
    """The URL of an empty database."""
    return postgres_server.new_database(f"history_{uuid.uuid4().hex[:12]}")


@pytest.fixture(scope="session")
def chromium() -> Iterator["Browser"]:
    """The browser of all tests of this worker."""
    from tests.support.servers.chromium import running_chromium  # most workers need none

    with or_skip(running_chromium) as browser:
        yield browser


@contextmanager
def or_skip(start: Callable[[], AbstractContextManager[Server]]) -> Iterator[Server]:
    """Run the server of `start` while the block runs. If it is missing, skip the test, or fail it in CI."""
    with ExitStack() as stack:
        try:
            server = stack.enter_context(start())
        except ServerMissing as missing:
            if os.environ.get("CI"):
                pytest.fail(str(missing))
            pytest.skip(str(missing))
        yield server
