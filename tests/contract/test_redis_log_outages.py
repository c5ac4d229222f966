"""Redis goes away in the middle of a poll: what was read before is returned, and nothing is skipped."""

from typing import Any

import fakeredis
import pytest
import redis

from shared.streams.event_log import LogUnavailable, Record
from tests.support.servers.event_logs import (
    Owner,
    RedisUnderTest,
    a_group,
    a_topic,
    append,
    until,
    values,
)


class Failing(fakeredis.FakeRedis):
    """Refuses one read, after a number of others."""

    reads_before = -1

    def execute_command(self, *args: Any, **options: Any) -> Any:
        if args[0] == "XREAD":
            Failing.reads_before -= 1
            if Failing.reads_before == -1:
                raise redis.exceptions.ConnectionError("gone")
        return super().execute_command(*args, **options)  # type: ignore[no-untyped-call] # of fakeredis


@pytest.mark.parametrize("reads_before", range(4))
def test_a_failed_read_loses_no_record_that_was_read_before(reads_before: int) -> None:
    server = fakeredis.FakeServer()
    log = RedisUnderTest(lambda: Failing(server=server)).log
    topic = a_topic(log, partitions=2)
    sent = [b"%d" % number for number in range(40)]
    for number, value in enumerate(sent):
        append(log, topic, value, key=b"%d" % (number % 5))
    with log.consumer(topic, a_group(), Owner()) as consumer:
        Failing.reads_before = reads_before
        found: list[Record] = []
        with_failure: list[LogUnavailable] = []

        def poll() -> None:
            try:
                found.extend(consumer.poll(10, 0.1))
            except LogUnavailable as error:
                with_failure.append(error)

        assert until(lambda: len(found) >= len(sent), poll, seconds=30)
    assert sorted(values(found), key=int) == sent
