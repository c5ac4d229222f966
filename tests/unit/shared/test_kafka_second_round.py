"""When a group is asked for the second round of a rebalance, and how assignments are read."""

from collections.abc import Callable
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException
from quixstreams.kafka import Consumer

from shared.streams.kafka import second_round as kafka_second_round
from shared.streams.kafka.second_round import SecondRound, assigned_partitions
from tests.support.polling import eventually

ASSIGNMENT = (
    b"\x00\x03\x00\x00\x00\x02"
    b"\x00\x05other\x00\x00\x00\x01\x00\x00\x00\x07"
    b"\x00\x06clicks\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x01\x03\xff\xff\xff\xff"
)

Look = Callable[[list[Any]], list[str]]


def test_an_assignment_is_read() -> None:
    assert assigned_partitions(ASSIGNMENT, "clicks") == {0, 259}
    assert assigned_partitions(ASSIGNMENT, "other") == {7}
    assert assigned_partitions(ASSIGNMENT, "click") == set()
    assert assigned_partitions(b"", "clicks") == set()


class Stranger:
    """Writes down its visit, which the group takes notice of at once."""

    def __init__(self, visits: list[str]) -> None:
        self._visits = visits

    def subscribe(self, topics: list[str], on_assign: Callable[[object, object], None]) -> None:
        self._visits.append(f"reads {topics[0]}")
        self._on_assign = on_assign

    def poll(self, _: float) -> None:
        self._on_assign(self, [])

    def close(self) -> None:
        self._visits.append("leaves")


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch) -> Look:
    """Let a named member see one thing after the other, and then that all have a reader; what it did."""
    monkeypatch.setattr(kafka_second_round, "_LOOK_SECONDS", 0.001)

    def look(seen: list[Any]) -> list[str]:
        left, visits = [*seen, set()], list[str]()

        def find() -> set[int] | None:
            found = left.pop(0)
            if found == "away":
                raise KafkaException(KafkaError(KafkaError._TRANSPORT))  # noqa: SLF001 - its public name
            return cast("set[int] | None", found)

        second_round = SecondRound(find, lambda: cast(Consumer, Stranger(visits)), "letters")
        second_round.start()
        eventually(lambda: not left, "the last look")
        second_round.close()
        return visits

    return look


@pytest.mark.parametrize(
    "seen",
    [[], [None, None], [{1}], [{1}, None, {1}], [{1}, "away", {1}], [{1}, {2}]],
    ids=["whole", "under way", "once", "between", "cut off", "others"],
)
def test_a_group_that_is_whole_or_on_its_way_is_left_alone(look: Look, seen: list[Any]) -> None:
    assert look(seen) == []


def test_a_partition_that_stays_without_a_reader_has_a_stranger_come_and_go(look: Look) -> None:
    assert look([{0, 1}, {1}]) == ["reads letters", "leaves"]
    assert look([{1}, {1}, {1}, {1}]) == ["reads letters", "leaves"] * 2
