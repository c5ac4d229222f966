"""When an unfinished rebalance is triggered again, and how assignments are decoded."""

from collections.abc import Callable
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException
from quixstreams.kafka import Consumer

from shared.streams.kafka import rebalance_watch
from shared.streams.kafka.rebalance_watch import RebalanceWatch, assigned_partitions
from tests.support.polling import eventually

ASSIGNMENT = (
    b"\x00\x03\x00\x00\x00\x02"
    b"\x00\x05other\x00\x00\x00\x01\x00\x00\x00\x07"
    b"\x00\x06clicks\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x01\x03\xff\xff\xff\xff"
)

Check = Callable[[list[Any]], list[str]]


def test_an_assignment_is_decoded() -> None:
    assert assigned_partitions(ASSIGNMENT, "clicks") == {0, 259}
    assert assigned_partitions(ASSIGNMENT, "other") == {7}
    assert assigned_partitions(ASSIGNMENT, "click") == set()
    assert assigned_partitions(b"", "clicks") == set()


class Observer:
    """Records that it joins and leaves. The group assigns it nothing, at once."""

    def __init__(self, steps: list[str]) -> None:
        self._steps = steps

    def subscribe(self, topics: list[str], on_assign: Callable[[object, object], None]) -> None:
        self._steps.append(f"joins for {topics[0]}")
        self._on_assign = on_assign

    def poll(self, _: float) -> None:
        self._on_assign(self, [])

    def close(self) -> None:
        self._steps.append("leaves")


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch) -> Check:
    """Runs a watch on one finding after the other, then on none unread. Returns what its observers did."""
    monkeypatch.setattr(rebalance_watch, "_CHECK_SECONDS", 0.001)

    def check(seen: list[Any]) -> list[str]:
        left, steps = [*seen, set()], list[str]()

        def find() -> set[int] | None:
            found = left.pop(0)
            if found == "away":
                raise KafkaException(KafkaError(KafkaError._TRANSPORT))  # noqa: SLF001 - its public name
            return cast("set[int] | None", found)

        watch = RebalanceWatch(find, lambda: cast(Consumer, Observer(steps)), "letters")
        watch.start()
        eventually(lambda: not left, "the last check")
        watch.close()
        return steps

    return check


@pytest.mark.parametrize(
    "seen",
    [[], [None, None], [{1}], [{1}, None, {1}], [{1}, "away", {1}], [{1}, {2}]],
    ids=["complete", "rebalancing", "once", "rebalanced between", "cut off", "others"],
)
def test_a_complete_or_rebalancing_group_is_left_alone(check: Check, seen: list[Any]) -> None:
    assert check(seen) == []


def test_an_observer_joins_and_leaves_when_a_partition_stays_without_a_reader(check: Check) -> None:
    assert check([{0, 1}, {1}]) == ["joins for letters", "leaves"]
    assert check([{1}, {1}, {1}, {1}]) == ["joins for letters", "leaves"] * 2
