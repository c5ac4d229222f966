"""How a processor ends its last transaction again when the broker withholds the group's offsets."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException

from shared.streams.event_log import LogUnavailable
from shared.streams.kafka.client import KafkaClients
from shared.streams.kafka.errors import UnstableOffsets
from shared.streams.kafka.processor import KafkaProcessor

DOWN = KafkaException(KafkaError(KafkaError._TRANSPORT, "the broker is down"))  # noqa: SLF001 - its public name
TIMED_OUT = KafkaException(
    KafkaError(KafkaError._TIMED_OUT, "4 message(s) timed out", txn_requires_abort=True)  # noqa: SLF001 - same
)


class Broker:
    """Producers of a broker that fails where it is told to, and what ended their transactions."""

    def __init__(self) -> None:
        self.fails: dict[str, KafkaException] = {}
        self.ends: list[str] = []

    def _call(self, name: str) -> None:
        if name in self.fails:
            raise self.fails[name]

    # As Quix Streams' producer.
    def __len__(self) -> int:
        self._call("connect")
        return 0

    instantiated = False
    _producer = property(lambda self: self)

    def begin_transaction(self) -> None: ...
    def flush(self, *_: object) -> int:
        return 0

    def produce(self, *_: object, **__: object) -> None: ...
    def send_offsets_to_transaction(self, *_: object) -> None:
        self._call("send_offsets")

    def commit_transaction(self, *_: object) -> None:
        self._call("commit")
        self.ends.append("commit")

    def abort_transaction(self, *_: object) -> None:
        self._call("abort")
        self.ends.append("abort")


class Member:
    """A member of the group that reads every partition."""

    is_unstable = False

    def is_reading(self, _: int) -> bool:
        return True

    def ask_broker(self, *_: object, **__: object) -> None: ...
    def rewind(self) -> None: ...
    def close(self) -> None: ...
    def places(self, _: object) -> list[object]:
        return []

    membership = consumer_group_metadata = close

    def may_be_stale(self) -> bool:
        return False

    def poll(self, *_: object) -> Any:
        if self.is_unstable:
            raise UnstableOffsets(KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001 - its public name
        return ()


class Clients:
    """As `KafkaClients`."""

    address = "kafka:9092"

    def __init__(self) -> None:
        self.broker, self.own_member = Broker(), Member()

    def member(self, *_: object) -> Member:
        return self.own_member

    def producer(self, _: str) -> Broker:
        return self.broker

    def consumer(self, _: str) -> Member:
        return self.own_member

    @contextmanager
    def outages(self) -> Iterator[None]:
        try:
            yield
        except KafkaException as error:
            raise LogUnavailable(str(error)) from error


@pytest.mark.parametrize(
    ("fails", "end"),
    [
        ({}, "commit"),
        ({"commit": TIMED_OUT}, "abort"),
        ({"commit": TIMED_OUT, "abort": DOWN}, "abort"),  # our successor aborts it
        ({"send_offsets": TIMED_OUT}, "commit"),  # then the broker has the offsets of the one before
        ({"send_offsets": TIMED_OUT, "abort": DOWN}, "commit"),
    ],
)
def test_a_withheld_transaction_is_ended_as_it_ended(fails: dict[str, KafkaException], end: str) -> None:
    clients = Clients()
    processor = KafkaProcessor(cast(KafkaClients, clients), "click-data", "enrich")
    processor.send([("enriched", b"k", b"v", ())], {0: 1})
    clients.broker.fails = fails
    if fails:
        with pytest.raises(LogUnavailable):
            processor.send([("enriched", b"k", b"v", ())], {0: 2})
    else:
        processor.send([("enriched", b"k", b"v", ())], {0: 2})
    clients.broker.fails, clients.own_member.is_unstable = {}, True
    with pytest.raises(LogUnavailable):
        processor.poll(10, 0)
    assert clients.broker.ends[-1] == end


def test_a_commit_after_an_abort_counts() -> None:
    clients = Clients()
    processor = KafkaProcessor(cast(KafkaClients, clients), "click-data", "enrich")
    clients.broker.fails = {"commit": TIMED_OUT}
    with pytest.raises(LogUnavailable):
        processor.send([("enriched", b"k", b"v", ())], {0: 2})
    clients.broker.fails = {}
    processor.send([("enriched", b"k", b"v", ())], {0: 2})
    clients.own_member.is_unstable = True
    with pytest.raises(LogUnavailable):
        processor.poll(10, 0)
    assert clients.broker.ends == ["abort", "commit", "commit"]
