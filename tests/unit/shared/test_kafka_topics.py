"""What an existing topic on Kafka costs that was created otherwise than we would."""

import pytest

from shared.streams.event_log import TopicSpec
from shared.streams.kafka.topics import new_topic_options, shortcomings

HOUR_MS = 3_600_000
SPEC = TopicSpec("clicks", 4, 24 * HOUR_MS)


def test_a_topic_as_we_create_it_lacks_nothing() -> None:
    created = new_topic_options(SPEC)
    assert shortcomings(SPEC, 4, created) == []
    assert created["compression.type"] == "zstd"


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("retention.ms", str(6 * HOUR_MS), ["kept for 6 h, not 24 h", "lacks 3 h of the 9 h"]),
        ("retention.ms", str(90 * 60_000), ["kept for 1.5 h", "lacks 7.5 h of the 9 h"]),
        ("retention.ms", str(12 * HOUR_MS), ["kept for 12 h, not 24 h", "down for longer loses events"]),
        ("retention.bytes", "1000000", ["retention.bytes is 1000000"]),
        ("cleanup.policy", "compact", ["only the latest record"]),
        ("cleanup.policy", "delete,compact", ["only the latest record"]),
        ("message.timestamp.type", "CreateTime", ["producers' clocks"]),
    ],
)
def test_each_problem_is_told_once_with_its_cost(option: str, value: str, expected: list[str]) -> None:
    options = new_topic_options(SPEC) | {option: value}
    (problem,) = shortcomings(SPEC, 4, options)
    assert [part for part in expected if part not in problem] == []


def test_retention_that_is_enough_for_a_rebuild_is_not_said_to_cost_one() -> None:
    (problem,) = shortcomings(SPEC, 4, {"retention.ms": str(12 * HOUR_MS)})
    assert "rebuilt" not in problem


@pytest.mark.parametrize(
    "options",
    [
        {"retention.ms": "-1", "retention.bytes": "-1"},  # for ever
        {"retention.ms": str(48 * HOUR_MS)},
        {},  # not told
    ],
)
def test_more_than_asked_for_is_no_problem(options: dict[str, str | None]) -> None:
    assert shortcomings(SPEC, 12, options) == []


def test_what_compacts_alone_expires_nothing() -> None:
    (problem,) = shortcomings(SPEC, 4, {"cleanup.policy": "compact", "retention.ms": str(HOUR_MS)})
    assert "compact" in problem


def test_too_few_partitions_bound_the_replicas() -> None:
    (problem,) = shortcomings(SPEC, 1, {})
    assert "1 partitions, not 4" in problem
