"""What changes between two reports of a replica, in words."""

from typing import Any

import msgspec
import pytest

from shared.status.metrics import REPORTED
from shared.status.replica_status import STARTING, ReplicaStatus, Trouble, transitions
from tests.support.samples.status import BAD_INPUT, NOON_MS, REDIS_AWAY, sample_status


def test_every_field_is_a_metric_or_describes_the_process() -> None:
    described = {"service", "replica", "version", "started_at_ms", "reported_at_ms", "state", "troubles"}
    assert set(ReplicaStatus.__struct_fields__) == described | {"last_complaint"} | REPORTED.keys()


def test_the_stored_report_keeps_its_form() -> None:
    stored = msgspec.json.encode(sample_status(troubles={"redis": REDIS_AWAY})).decode()
    assert stored == (
        '{"service":"aggregate","replica":"host-1:7","version":"0.1.0","started_at_ms":1795341300000,'
        '"reported_at_ms":1795348800000,"troubles":{"redis":{"reason":"connection refused",'
        '"since_ms":1795348760000,"fails":true}},"cpu_share":0.183,"memory_bytes":162000000,"events":232154,'
        '"events_per_second":1234.5,"batch_ms":95.25,"publish_ms":42.95,"is_publisher":true,"lag":{"0":12,"1":0},'
        '"state_bytes":{"0":4676184,"1":4628171},"dead_letters":{"not_json":3},'
        '"last_complaint":{"level":"warning","message":"events refused","at_ms":1795348740000}}'
    )


def changes(before: ReplicaStatus | None, now: ReplicaStatus) -> list[tuple[str, str]]:
    return [(transition.level, transition.message) for transition in transitions(before, now)]


def test_changing_metrics_are_not_a_transition() -> None:
    assert changes(sample_status(), sample_status(events=9_999_999, lag={0: 5_000, 1: 1}, cpu_share=1.0)) == []


def test_transition_names_replica_and_time() -> None:
    (transition,) = transitions(sample_status(is_publisher=False), sample_status())
    assert (transition.at_ms, transition.service, transition.replica) == (NOON_MS, "aggregate", "host-1:7")


def test_first_status_is_a_start_and_readiness_follows() -> None:
    waiting = {STARTING: Trouble("waiting for Redis and the event log", NOON_MS - 3_000, fails=True)}
    first = sample_status(troubles=waiting, lag={}, is_publisher=None)
    assert changes(None, first) == [("info", "started, version 0.1.0")]
    assert changes(first, sample_status()) == [
        ("info", "ready after 3 s"),
        ("info", "reads partitions 0–1"),
        ("info", "publishes the rollups"),
    ]


def test_failure_degradation_and_recovery_are_reported_once_each() -> None:
    healthy, failing = sample_status(), sample_status(troubles={"redis": REDIS_AWAY})
    assert changes(healthy, failing) == [("error", "redis fails: connection refused")]
    other_words = sample_status(troubles={"redis": Trouble("timeout", REDIS_AWAY.since_ms, fails=True)})
    assert changes(failing, other_words) == []
    degraded = sample_status(troubles={"redis": BAD_INPUT})
    assert changes(failing, degraded) == [("warning", "redis is degraded: half of it is bad")]
    assert changes(failing, healthy) == [("info", "redis works again after 40 s")]


@pytest.mark.parametrize(
    ("before", "now", "messages"),
    [
        ([0, 1, 2, 3], [0, 1], ["no longer reads partitions 2–3"]),
        ([0], [0, 2, 4, 5, 6], ["reads partitions 2, 4–6"]),
        ([0, 1], [1, 3], ["reads partition 3", "no longer reads partition 0"]),
    ],
)
def test_gained_and_lost_partitions_are_named(before: list[int], now: list[int], messages: list[str]) -> None:
    found = changes(sample_status(lag=dict.fromkeys(before, 0)), sample_status(lag=dict.fromkeys(now, 0)))
    assert found == [("info", message) for message in messages]


def test_change_of_the_publisher() -> None:
    assert changes(sample_status(), sample_status(is_publisher=False)) == [("info", "no longer publishes the rollups")]
    assert changes(sample_status(is_publisher=None), sample_status(is_publisher=False)) == []


@pytest.mark.parametrize(
    ("state", "transition"),
    [
        ("stopped", ("info", "stopped")),
        ("fenced", ("error", "stopped: another process does this work (fenced)")),
        ("failed", ("error", "failed; the trace is in its log")),
    ],
)
def test_end_is_reported_without_the_released_partitions(state: Any, transition: tuple[str, str]) -> None:
    running = sample_status(troubles={"redis": REDIS_AWAY})
    ended = sample_status(state=state, lag={}, is_publisher=False)
    assert changes(running, ended) == [transition]
    assert changes(ended, ended) == []


def test_health_is_that_of_the_worst_part() -> None:
    assert sample_status().health == "healthy"
    assert sample_status(troubles={"input": BAD_INPUT}).health == "degraded"
    assert sample_status(troubles={"input": BAD_INPUT, "redis": REDIS_AWAY}).health == "unhealthy"
