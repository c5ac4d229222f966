"""The cost of a misconfigured topic on Kafka."""

import pytest

from shared.streams.event_log import TopicSpec
from shared.streams.kafka.topics import new_topic_options, shortcomings

HOUR_MS = 3_600_000
SPEC = TopicSpec("clicks", 4, 24 * HOUR_MS)


def test_a_topic_that_we_create_has_no_shortcomings() -> None:
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
def test_each_problem_is_reported_once_with_its_cost(option: str, value: str, expected: list[str]) -> None:
    options = new_topic_options(SPEC) | {option: value}
    (problem,) = shortcomings(SPEC, 4, options)
    assert [part for part in expected if part not in problem] == []


def test_retention_that_suffices_for_a_rebuild_costs_none() -> None:
    (problem,) = shortcomings(SPEC, 4, {"retention.ms": str(12 * HOUR_MS)})
    assert "rebuilt" not in problem


@pytest.mark.parametrize(
    "options",
    [
        {"retention.ms": "-1", "retention.bytes": "-1"},  # forever
        {"retention.ms": str(48 * HOUR_MS)},
        {},  # not reported
    ],
)
def test_more_than_needed_is_no_problem(options: dict[str, str | None]) -> None:
    assert shortcomings(SPEC, 12, options) == []


def test_a_topic_that_only_compacts_expires_nothing() -> None:
    (problem,) = shortcomings(SPEC, 4, {"cleanup.policy": "compact", "retention.ms": str(HOUR_MS)})
    assert "compact" in problem


def test_too_few_partitions_limit_the_replicas() -> None:
    (problem,) = shortcomings(SPEC, 1, {})
    assert "1 partitions, not 4" in problem


def test_a_topic_that_keeps_what_producers_sent_for_too_long_is_reported() -> None:
    exact = TopicSpec("clicks", 4, 2 * HOUR_MS, is_exact=True)
    assert shortcomings(exact, 4, new_topic_options(exact)) == []
    (problem,) = shortcomings(exact, 4, new_topic_options(exact) | {"retention.ms": str(24 * HOUR_MS)})
    assert "kept for 24 h, not 2 h" in problem
    (problem,) = shortcomings(exact, 4, new_topic_options(exact) | {"retention.ms": "-1"})
    assert "kept for good, not 2 h" in problem
