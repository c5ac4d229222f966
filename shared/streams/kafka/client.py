"""Clients of Kafka: the options of each, and questions to the broker."""

import logging
import os
import re
import secrets
import socket
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Message, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient
from quixstreams.kafka import ConnectionConfig, Consumer, Producer

from shared.events.refusals import dead_letter_topic
from shared.runtime.settings import ServiceSettings
from shared.status.health import Health
from shared.streams.event_log import Listener, LogUnavailable, ToAppend
from shared.streams.kafka.client_log import ADMIN_LOGGER, CONSUMER_LOGGER, ConsumerLog, quiet_client_logs
from shared.streams.kafka.errors import LAST_CAUSE, OUTAGE, translated
from shared.streams.kafka.group_member import GroupMember
from shared.streams.kafka.open_transactions import TransactionWatch
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
MOST_RECORD_BYTES: Final = 4 << 20
"""A larger record is refused here. Above the broker's limit, which decides about smaller ones."""

_PRODUCER_OPTIONS: Final[dict[str, Any]] = {
    **_OPTIONS,
    "enable.idempotence": True,
    "acks": "all",
    "compression.type": "zstd",
    "compression.level": 1,  # a sixth less CPU to send a record than the default of 3, for hardly more bytes
    "linger.ms": 5,
    "retry.backoff.ms": 10,  # how often to ask for the next transaction while the broker ends the previous one
    "message.timeout.ms": 4_000,  # then `send` fails and the caller, which may be stopping, decides
    "message.max.bytes": MOST_RECORD_BYTES,
    "delivery.report.only.error": True,
    "statistics.interval.ms": 0,
}
_TRANSACTIONAL_OPTIONS: Final[dict[str, Any]] = {
    "transaction.timeout.ms": 10_000,  # how long a killed processor's may block its successor and all readers
    "linger.ms": 100,  # the commit sends what waits; larger requests until then halve the cost of sending
}
_BATCH_BYTES: Final = 1_000_000  # the client's default
_STATISTICS_MS: Final = 5_000
_FULL_SECONDS: Final = 6.0
_ANSWER_SECONDS: Final = 2.0


class KafkaClients:
    """Makes Quix Streams' consumers and producers. Nothing connects before their first call."""

    def __init__(self, settings: ServiceSettings, client_id: str, health: Health | None = None) -> None:
        """Readers report transactions that stay open to `health`."""
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
        self._batch_bytes = _BATCH_BYTES
        self._statistics: dict[str, Any] = {}
        if health is not None:
            callback = TransactionWatch(health, self.address).on_statistics
            self._statistics = {"statistics.interval.ms": _STATISTICS_MS, "stats_cb": callback}
        # When the session expires the others get a dead replica's partitions, and a commit without a broker gives up.
        self._session = {"session.timeout.ms": settings.kafka_session_seconds * 1000}
        self._instance_id = settings.kafka_instance_id
        self._client_id = client_id
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
        instance_id: str | None = None,
    ) -> Consumer:
        """A consumer without automatic commits. It joins the group as this instance; without one it is an observer.

        Within its calls it calls `on_error` with what the client retries by itself, and `on_recreated` with the id of a
        recreated topic, ahead of its records.
        """
        options = (
            _OBSERVER_OPTIONS
            if instance_id is None
            else self._session | self._statistics | {"group.instance.id": instance_id}
        )
        return Consumer(
            self._connection,
            group,
            auto_offset_reset="earliest",
            auto_commit_enable=False,
            logger=ConsumerLog(on_recreated),
            on_commit=on_commit,
            error_callback=partial(report, on_error),
            extra_config=_CONSUMER_OPTIONS | options,
        )

    def producer(self, transactional_id: str | None = None) -> Producer:
        """A producer. With a transactional id its first use connects, and ends its predecessor's open transaction."""
        options = _PRODUCER_OPTIONS | {"batch.size": self._batch_bytes}
        if transactional_id is None:
            return Producer(self._connection, error_callback=_on_producer_error, extra_config=options)
        transactional = {**_TRANSACTIONAL_OPTIONS, "transactional.id": transactional_id}
        return Producer(
            self._connection,
            error_callback=_on_producer_error,
            extra_config=options | transactional,
            transactional=True,
        )

    def limit_batches(self, topic_bytes: int) -> None:
        """Make producers send no larger batch than a topic takes: it would refuse the small records in it too."""
        self._batch_bytes = max(min(self._batch_bytes, topic_bytes), 1)

    def admin_options(self) -> dict[str, Any]:
        """The options of an admin client."""
        return {
            **_OPTIONS,
            **self._connection.as_librdkafka_dict(),
            "logger": logging.getLogger(ADMIN_LOGGER),
        }

    def member(self, topic: str, group: str, listener: Listener) -> GroupMember:
        """A member that reads the topic for the group, under KAFKA_INSTANCE_ID or a name of its own.

        Every member is static: the broker recognises one that joins again after an outage. Without a name it would wait
        for the session of its former self to expire.
        """
        instance_id = self._instance_id or _random_instance_id(self._client_id)
        make_observer = partial(self.consumer, group)
        return GroupMember(
            partial(self.consumer, group, instance_id=instance_id),
            topic,
            listener,
            ask_topic_id=partial(self.topic_id, topic),
            make_observer=make_observer,
            watch=RebalanceWatch(partial(self._unread, topic, group), make_observer, dead_letter_topic(topic)),
            is_named=self._instance_id is not None,
        )

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


def _random_instance_id(client_id: str) -> str:
    """A name of this start, in the characters that Kafka allows, for people who list the group's members."""
    host = re.sub(r"[^a-zA-Z0-9._-]", "-", socket.gethostname())[:60]
    return f"{client_id}-{host}-{os.getpid()}-{secrets.token_hex(4)}"


def report(on_error: Callable[[KafkaError], None] | None, error: KafkaError) -> None:
    """Called by a client. An outage has one line in the log, the service's, with the cause that clients report."""
    if error.code() in OUTAGE:
        LAST_CAUSE.note(error, time.monotonic())
    else:
        logging.getLogger(CONSUMER_LOGGER).error("Kafka client error: %s", error.str())
    if on_error is not None:
        on_error(error)


_on_producer_error: Final = partial(report, None)


def produce(
    producer: Producer, records: Sequence[ToAppend], on_failed: Callable[[ToAppend, KafkaError], None] | None = None
) -> None:
    """Queue the records. The caller flushes or commits.

    `on_failed` is called, here or in the flush, with each record that cannot be queued or delivered. Without it the
    first that cannot be queued raises KafkaException, as does a queue that stays full.
    """
    # Quix Streams' own produce() costs twice as much per record as the client's beneath it.
    client = producer._producer  # noqa: SLF001
    append = client.produce
    deadline = time.monotonic() + _FULL_SECONDS
    for record in records:
        topic, key, value, headers = record
        if on_failed is not None:
            append = partial(client.produce, on_delivery=partial(_report_failed, on_failed, record))
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
            except KafkaException as error:
                if on_failed is None:
                    raise
                on_failed(record, error.args[0])
                break


def _report_failed(
    on_failed: Callable[[ToAppend, KafkaError], None], record: ToAppend, error: KafkaError | None, _: Message
) -> None:
    if error is not None:
        on_failed(record, error)


def close_producer(producer: Producer, failure: BaseException | None = None) -> None:
    """End the producer's threads and connections now, with what it has queued. It cannot be used again.

    The client has no call for that, but ends when nothing refers to it. The frames of `failure` do.
    """
    if failure is not None:
        traceback.clear_frames(failure.__traceback__)
    if producer.instantiated:
        with suppress(KafkaException):  # a fatal error is raised once more, in whichever call comes next
            producer.purge()
            producer.poll(0)
        producer._inner_producer = None  # noqa: SLF001 - it refers back to `producer`
