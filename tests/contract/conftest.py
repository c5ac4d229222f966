"""Fixtures of the contract tests."""

from collections.abc import Iterator
from typing import Any

import fakeredis
import pytest

from shared.runtime.redis_client import connect
from shared.streams.event_log import EventLog
from tests.support.servers.event_logs import KafkaUnderTest, LogUnderTest, fake_redis, real_redis


@pytest.fixture(params=["fake", "real"])
def client(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A client of an empty fake and of an empty real Redis: both pass the same tests."""
    if request.param == "fake":
        yield fakeredis.FakeRedis(server=fakeredis.FakeServer())
    else:
        with connect(request.getfixturevalue("redis_url")) as real:
            yield real


@pytest.fixture(params=["fakeredis", "redis", pytest.param("kafka", marks=pytest.mark.kafka)])
def under_test(request: pytest.FixtureRequest) -> LogUnderTest:
    """An event log of each kind: all pass the same tests."""
    if request.param == "fakeredis":
        return fake_redis()
    if request.param == "redis":
        return real_redis(request.getfixturevalue("redis_url"))
    return KafkaUnderTest(request.getfixturevalue("kafka_broker"))


@pytest.fixture
def log(under_test: LogUnderTest) -> EventLog:
    """The log of `under_test`."""
    return under_test.log
