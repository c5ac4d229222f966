"""Clients of Kafka: the options of each, and questions to the broker."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Message, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient
from quixstreams.kafka import ConnectionConfig, Consumer, Producer

from shared.events.refusals import dead_letter_topic
from shared.runtime.settings import ServiceSettings
from shared.streams.event_log import LogUnavailable, ToAppend
from shared.streams.kafka.client_log import ADMIN_LOGGER, CONSUMER_LOGGER, ConsumerLog, quiet_client_logs
from shared.streams.kafka.errors import translated
from shared.streams.kafka.rebalance_watch import RebalanceWatch, assigned_partitions

_OPTIONS: Final[dict[str, Any]] = {
    "socket.timeout.ms": 10_000,
    "reconnect.backoff.max.ms": 1_000,
    "topic.metadata.refresh.interval.ms": 10_000,  # finds added partitions this soon; the default is 5 min
    "log.connection.close": False,  # brokers close idle connections
}
_CONSUMER_OPTIONS: Final[dict[str, Any]] = {
    **_OPTIONS,
    "isolation.level": "read_committed",
    "partition.assignment.strategy": "cooperative-sticky",  # a rebalance moves only the partitions that must move
    "debug": "metadata",  # the only report of a recreated topic: see ConsumerLog
    "enable.partition.eof": False,  # before librdkafka 2.14 it makes consume() skip a record (librdkafka #5213)
    "fetch.wait.max.ms": 100,  # a partition that starts waits for the pending fetch
    "heartbeat.interval.ms": 2_000,
    "fetch.queue.backoff.ms": 10,  # the default of a second throttles catching up fourfold
    "queued.max.messages.kbytes": 32_768,  # prefetched, per consumer
    "statistics.interval.ms": 0,
}
_OBSERVER_OPTIONS: Final[dict[str, Any]] = {"session.timeout.ms": 6_000}  # the least that brokers allow by default
_PRODUCER_OPTIONS: Final[dict[str, Any]] = {
    **_OPTIONS,
    "enable.idempotence": True,
    "acks": "all",
    "compression.type": "zstd",
    "linger.ms": 5,
    "retry.backoff.ms": 10,  # how often to ask for the next transaction while the broker ends the previous one
    "message.timeout.ms": 4_000,  # then `send` fails and the caller, which may be stopping, decides
    "message.max.bytes": 4 << 20,  # above the broker's limit, which decides
    "delivery.report.only.error": True,
    "statistics.interval.ms": 0,
}
_TRANSACTIONAL_OPTIONS: Final[dict[str, Any]] = {
    "transaction.timeout.ms": 10_000,  # how long a killed processor's may block its successor and all readers
    "linger.ms": 100,  # the commit sends what waits; larger requests until then halve the cost of sending
}
_FULL_SECONDS: Final = 6.0
_ANSWER_SECONDS: Final = 2.0


class KafkaClients:
    """Makes Quix Streams' consumers and producers. Nothing connects before their first call."""

    def __init__(self, settings: ServiceSettings, client_id: str) -> None:
        self.address = settings.kafka_broker or ""
        quiet_client_logs()
        options = {
            "bootstrap.servers": self.address,
            "client.id": client_id,
            "security.protocol": settings.kafka_security_protocol,
            "sasl.mechanism": settings.kafka_sasl_mechanism,
            "sasl.username": settings.kafka_sasl_username,
            "sasl.password": settings.kafka_sasl_password,
            "ssl.ca.location": settings.kafka_ssl_ca_location,
            "ssl.certificate.location": settings.kafka_ssl_certificate_location,
            "ssl.key.location": settings.kafka_ssl_key_location,
        }
        # When the session expires the others get a dead replica's partitions, and a commit without a broker gives up.
        self._membership: dict[str, Any] = {"session.timeout.ms": settings.kafka_session_seconds * 1000}
        if settings.kafka_instance_id is not None:
            # A static member does not leave the group when it closes: it returns, or its session expires.
            self._membership["group.instance.id"] = settings.kafka_instance_id
        self._connection = ConnectionConfig.from_librdkafka_dict(
            {name: option for name, option in options.items() if option is not None}
        )

    def consumer(
        self,
        group: str,
        on_commit: Callable[[KafkaError | None, list[TopicPartition]], None] | None = None,
        on_error: Callable[[KafkaError], None] | None = None,
        on_recreated: Callable[[str], None] | None = None,
        *,
        is_member: bool = True,
    ) -> Consumer:
        """A consumer without automatic commits. With `is_member` it joins the group under this replica's name, if any.

        Within its calls it calls `on_error` with what the client retries by itself, and `on_recreated` with the id of a
        recreated topic, ahead of its records.
        """
        return Consumer(
            self._connection,
            group,
            auto_offset_reset="earliest",
            auto_commit_enable=False,
            logger=ConsumerLog(on_recreated),
            on_commit=on_commit,
            error_callback=partial(_report, on_error),
            extra_config=_CONSUMER_OPTIONS | (self._membership if is_member else _OBSERVER_OPTIONS),
        )

    def producer(self, transactional_id: str | None = None) -> Producer:
        """A producer. With a transactional id its first use connects, and ends its predecessor's open transaction."""
        if transactional_id is None:
            return Producer(self._connection, extra_config=dict(_PRODUCER_OPTIONS))
        transactional = {**_TRANSACTIONAL_OPTIONS, "transactional.id": transactional_id}
        return Producer(self._connection, extra_config=_PRODUCER_OPTIONS | transactional, transactional=True)

    def admin_options(self) -> dict[str, Any]:
        """The options of an admin client."""
        return {
            **_OPTIONS,
            **self._connection.as_librdkafka_dict(),
            "logger": logging.getLogger(ADMIN_LOGGER),
        }

    def rebalance_watch(self, topic: str, group: str) -> RebalanceWatch | None:
        """The watch of a member that reads the topic for the group. One without a name needs none."""
        if "group.instance.id" not in self._membership:
            return None
        make_observer = partial(self.consumer, group, is_member=False)
        return RebalanceWatch(partial(self._unread, topic, group), make_observer, dead_letter_topic(topic))

    def _unread(self, topic: str, group: str) -> set[int] | None:
        """The topic's partitions that no member of the group has; None while the group rebalances."""
        admin = AdminClient(self.admin_options())
        # Deprecated, but in an outage its successor, describe_consumer_groups, ends the process by an assertion of
        # librdkafka 2.12.
        (known,) = admin.list_groups(group, timeout=_ANSWER_SECONDS) or (None,)
        if known is None or known.state != "Stable":
            return None
        assigned = set().union(*(assigned_partitions(member.assignment, topic) for member in known.members))
        return set(admin.list_topics(topic, timeout=_ANSWER_SECONDS).topics[topic].partitions) - assigned

    def topic_id(self, topic: str) -> str:
        """The id that distinguishes the topic from others of its name over time; empty for brokers before 2.8.

        Kafka's exceptions pass through.
        """
        admin = AdminClient(self.admin_options())  # without a variable it would be freed before the answer
        described = admin.describe_topics(TopicCollection([topic]), request_timeout=_ANSWER_SECONDS)
        try:
            found = described[topic].result(2 * _ANSWER_SECONDS).topic_id
        except TimeoutError as error:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT)) from error  # noqa: SLF001 - its public name
        finally:
            described.clear()  # or a failure in it would keep this frame, and the client, alive for long
        bits = found.get_most_significant_bits() or found.get_least_significant_bits()
        return str(found) if bits else ""

    @contextmanager
    def outages(self) -> Iterator[None]:
        """Raise Kafka's errors as LogUnavailable, or Fenced."""
        try:
            yield
        except KafkaException as error:
            raise translated(error, self.address) from error
        except TimeoutError as error:  # of an answer that the client should have given up by itself
            raise LogUnavailable(f"Kafka at {self.address}: no answer") from error


def _report(on_error: Callable[[KafkaError], None] | None, error: KafkaError) -> None:
    logging.getLogger(CONSUMER_LOGGER).error("Kafka consumer error: %s", error.str())
    if on_error is not None:
        on_error(error)


def produce(
    producer: Producer,
    records: Sequence[ToAppend],
    on_delivery: Callable[[KafkaError | None, Message], None] | None = None,
) -> None:
    """Queue the records. The caller flushes or commits. Raises KafkaException when the queue stays full."""
    # Quix Streams' own produce() costs twice as much per record as the client's beneath it.
    client = producer._producer  # noqa: SLF001
    append = client.produce if on_delivery is None else partial(client.produce, on_delivery=on_delivery)
    deadline = time.monotonic() + _FULL_SECONDS
    for topic, key, value, headers in records:
        while True:
            try:
                if headers:
                    append(topic, value, key, headers=[*headers])
                else:
                    append(topic, value, key)
                break
            except BufferError as error:  # its queue is full: wait until it sends some
                if time.monotonic() > deadline:
                    raise KafkaException(KafkaError(KafkaError._QUEUE_FULL)) from error  # noqa: SLF001 - its public name
                client.poll(0.1)
