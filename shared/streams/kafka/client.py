"""How we talk to Kafka: the options of every client, and what its errors mean to us."""

import logging
import re
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
from shared.streams.event_log import Fenced, LogUnavailable, ToAppend
from shared.streams.kafka.second_round import SecondRound, assigned_partitions

_OPTIONS: Final[dict[str, Any]] = {
    "socket.timeout.ms": 10_000,
    "reconnect.backoff.max.ms": 1_000,
    "topic.metadata.refresh.interval.ms": 10_000,  # so soon are partitions seen that were added; the default is 5 min
    "log.connection.close": False,  # brokers close idle connections
}
_CONSUMER_OPTIONS: Final[dict[str, Any]] = {
    **_OPTIONS,
    "isolation.level": "read_committed",
    "partition.assignment.strategy": "cooperative-sticky",  # a rebalance moves only the partitions that must move
    "debug": "metadata",  # what is told there alone: see _ConsumerLog
    "enable.partition.eof": False,  # before librdkafka 2.14 it makes consume() skip a record (librdkafka #5213)
    "fetch.wait.max.ms": 100,  # a partition that starts waits for the fetch that is under way
    "heartbeat.interval.ms": 2_000,
    "fetch.queue.backoff.ms": 10,  # the default of a second throttles catching up fourfold
    "queued.max.messages.kbytes": 32_768,  # prefetched, by consumer
    "statistics.interval.ms": 0,
}
_STRANGER_OPTIONS: Final[dict[str, Any]] = {"session.timeout.ms": 6_000}  # the least that brokers allow by default
_PRODUCER_OPTIONS: Final[dict[str, Any]] = {
    **_OPTIONS,
    "enable.idempotence": True,
    "acks": "all",
    "compression.type": "zstd",
    "linger.ms": 5,
    "retry.backoff.ms": 10,  # the next transaction is asked for until the broker is through with the one before
    "message.timeout.ms": 4_000,  # then `send` fails and the caller, who may be stopping, decides
    "message.max.bytes": 4 << 20,  # the broker's limit shall be the one that counts
    "delivery.report.only.error": True,
    "statistics.interval.ms": 0,
}
_TRANSACTIONAL_OPTIONS: Final[dict[str, Any]] = {
    "transaction.timeout.ms": 10_000,  # so long may a killed processor's hold up its successor and all readers
    "linger.ms": 100,  # the commit sends what waits; until then larger requests halve what sending costs
}
_ADMIN_LOGGER: Final = "quixstreams.admin"
_CONSUMER_LOGGER: Final = "quixstreams.kafka.consumer"
_LOGGERS: Final = (_CONSUMER_LOGGER, "quixstreams.kafka.producer", _ADMIN_LOGGER)
_TOLD_ELSEWHERE: Final = ("FAIL ", "Kafka commit error")  # through the error callback, and by the reader
_QUIET_SECONDS: Final = 60.0
_FULL_SECONDS: Final = 6.0
_ANSWER_SECONDS: Final = 2.0
_FENCED: Final = (KafkaError.FENCED_INSTANCE_ID,)
"""Another process joined the group under this one's KAFKA_INSTANCE_ID."""


class KafkaClients:
    """Makes Quix Streams' consumers and producers. Nothing connects before their first call."""

    def __init__(self, settings: ServiceSettings, client_id: str) -> None:
        self.address = settings.kafka_broker or ""
        _calm_logs()
        options = {
            "bootstrap.servers": self.address,
            "client.id": client_id,
            "security.protocol": settings.kafka_security_protocol,
            "sasl.mechanism": settings.kafka_sasl_mechanism,
            "sasl.username": settings.kafka_sasl_username,
            "sasl.password": settings.kafka_sasl_password,
            "ssl.ca.location": settings.kafka_ssl_ca_location,
        }
        # When a session runs out a dead replica's partitions go to the others, and a commit without a broker gives up.
        self._membership: dict[str, Any] = {"session.timeout.ms": settings.kafka_session_seconds * 1000}
        if settings.kafka_instance_id is not None:
            # A static member does not leave the group when it closes: it comes back, or its session runs out.
            self._membership["group.instance.id"] = settings.kafka_instance_id
        self._connection = ConnectionConfig.from_librdkafka_dict(
            {name: option for name, option in options.items() if option is not None}
        )

    def consumer(
        self,
        group: str,
        on_commit: Callable[[KafkaError | None, list[TopicPartition]], None] | None = None,
        on_error: Callable[[KafkaError], None] | None = None,
        on_made_anew: Callable[[str], None] | None = None,
        *,
        is_member: bool = True,
    ) -> Consumer:
        """A consumer that commits when told to. `is_member`: it joins the group, under this replica's name if any.

        `on_error` is told, within its calls, of what the client tries again by itself; `on_made_anew` likewise, when
        the topic that it reads is another one than before: of its id, ahead of its records.
        """
        return Consumer(
            self._connection,
            group,
            auto_offset_reset="earliest",
            auto_commit_enable=False,
            logger=_ConsumerLog(on_made_anew),
            on_commit=on_commit,
            error_callback=partial(_tell, on_error),
            extra_config=_CONSUMER_OPTIONS | (self._membership if is_member else _STRANGER_OPTIONS),
        )

    def producer(self, transactional_id: str | None = None) -> Producer:
        """A producer. With a transactional id its first use connects it, and ends what its predecessor left open."""
        if transactional_id is None:
            return Producer(self._connection, extra_config=dict(_PRODUCER_OPTIONS))
        transactional = {**_TRANSACTIONAL_OPTIONS, "transactional.id": transactional_id}
        return Producer(self._connection, extra_config=_PRODUCER_OPTIONS | transactional, transactional=True)

    def admin_options(self) -> dict[str, Any]:
        """The options of an admin client."""
        return {
            **_OPTIONS,
            **self._connection.as_librdkafka_dict(),
            "logger": logging.getLogger(_ADMIN_LOGGER),
        }

    def second_round(self, topic: str, group: str) -> SecondRound | None:
        """What a member of the group that reads the topic asks with; none for one without a name: it needs none."""
        if "group.instance.id" not in self._membership:
            return None
        stranger = partial(self.consumer, group, is_member=False)
        return SecondRound(partial(self._unread, topic, group), stranger, dead_letter_topic(topic))

    def _unread(self, topic: str, group: str) -> set[int] | None:
        """The topic's partitions that no member of the group has; None while the group is not at rest."""
        admin = AdminClient(self.admin_options())
        # Deprecated. But its successor, describe_consumer_groups, ends the process by an assertion of librdkafka 2.12
        # where it meets an outage.
        (known,) = admin.list_groups(group, timeout=_ANSWER_SECONDS) or (None,)
        if known is None or known.state != "Stable":
            return None
        assigned = set().union(*(assigned_partitions(member.assignment, topic) for member in known.members))
        return set(admin.list_topics(topic, timeout=_ANSWER_SECONDS).topics[topic].partitions) - assigned

    def topic_id(self, topic: str) -> str:
        """What tells the topic from one of that name before or after it; empty where brokers before 2.8 have none.

        Kafka's exceptions pass through.
        """
        admin = AdminClient(self.admin_options())  # without a name it would be gone before the answer
        described = admin.describe_topics(TopicCollection([topic]), request_timeout=_ANSWER_SECONDS)
        try:
            found = described[topic].result(2 * _ANSWER_SECONDS).topic_id
        except TimeoutError as error:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT)) from error  # noqa: SLF001 - its public name
        finally:
            described.clear()  # or a failure in it would keep this frame, and the client, for long
        bits = found.get_most_significant_bits() or found.get_least_significant_bits()
        return str(found) if bits else ""

    @contextmanager
    def outages(self) -> Iterator[None]:
        """Raise Kafka's errors as LogUnavailable, or Fenced."""
        try:
            yield
        except KafkaException as error:
            raise translated(error, self.address) from error
        except TimeoutError as error:  # of an answer that the client itself should have given up
            raise LogUnavailable(f"Kafka at {self.address}: no answer") from error


def _tell(on_error: Callable[[KafkaError], None] | None, error: KafkaError) -> None:
    logging.getLogger(_CONSUMER_LOGGER).error("Kafka consumer error: %s", error.str())
    if on_error is not None:
        on_error(error)


def translated(error: KafkaException, address: str) -> LogUnavailable | Fenced:
    """What an error of Kafka means to the caller."""
    reason: KafkaError = error.args[0]
    message = f"Kafka at {address}: {reason.str()} ({reason.name()})"
    if reason.code() in _FENCED:
        return Fenced(f"another process joined the group with the same KAFKA_INSTANCE_ID; give each its own. {message}")
    return LogUnavailable(message)


def produce(
    producer: Producer,
    records: Sequence[ToAppend],
    on_delivery: Callable[[KafkaError | None, Message], None] | None = None,
) -> None:
    """Queue the records; the caller flushes or commits. Raises KafkaException when the queue stays full."""
    # Quix Streams' own produce() costs twice the client's beneath it, a record.
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
            except BufferError as error:  # its queue is full: let some out
                if time.monotonic() > deadline:
                    raise KafkaException(KafkaError(KafkaError._QUEUE_FULL)) from error  # noqa: SLF001 - its public name
                client.poll(0.1)


class _ConsumerLog(logging.Logger):
    """A consumer's log, which librdkafka calls within the consumer's own calls.

    Of a topic that was deleted and made anew it tells nowhere else, and reads on at the offset it was at; a comment
    within rd_kafka_topic_metadata_update of librdkafka 2.12 calls that a thing to mend. The line comes ahead of the new
    topic's records: since Kafka 3.1 they are fetched by the topic's id, and whoever does not know it gets none.
    """

    _MADE_ANEW: Final = re.compile(r" changed id from (?!A+ )\S+ to (\S+)")  # at first it changes from 0, in base64

    def __init__(self, on_made_anew: Callable[[str], None] | None) -> None:
        super().__init__(_CONSUMER_LOGGER)
        self._on_made_anew = on_made_anew

    def log(self, level: int, msg: object, *args: object, **_: object) -> None:
        """Called as `log(level, "%s [%s] %s", facility, client, line)`."""
        if level > logging.DEBUG:
            logging.getLogger(self.name).log(level, msg, *args)
        elif self._on_made_anew is not None and (told := self._MADE_ANEW.search(str(args[-1]))):
            self._on_made_anew(told[1])


class _OnceAMinute(logging.Filter):
    """Lets a line through once a minute: without a broker librdkafka says the same hundreds of times."""

    def __init__(self) -> None:
        super().__init__()
        self._said_at: dict[str, float] = {}  # time.monotonic() by line

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to log the record."""
        line = record.getMessage().partition(" (after ")[0]
        now = time.monotonic()
        if line.startswith(_TOLD_ELSEWHERE) or now - self._said_at.get(line, float("-inf")) < _QUIET_SECONDS:
            return False
        if len(self._said_at) > 1000:
            self._said_at.clear()
        self._said_at[line] = now
        return True


def _calm_logs() -> None:
    """Quix Streams and librdkafka log through the standard library; their warnings tell of what they try again."""
    logging.getLogger("quixstreams").setLevel(logging.ERROR)
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        if not any(isinstance(known, _OnceAMinute) for known in logger.filters):
            logger.addFilter(_OnceAMinute())
