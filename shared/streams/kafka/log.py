"""The event log on Kafka, through Quix Streams: the production log, for many replicas of each service.

Consumers read committed records, and the group spreads partitions over its members. A processor appends and commits
its source's offsets in one Kafka transaction.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final, Self

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic

from shared.runtime.logs import get_logger
from shared.runtime.settings import ServiceSettings
from shared.status.health import Health
from shared.streams.event_log import Listener, LogUnavailable, NewRecord, Record, Refused, TopicFacts, TopicSpec
from shared.streams.kafka.client import KafkaClients, close_producer, produce
from shared.streams.kafka.errors import FATAL, REFUSED, translated
from shared.streams.kafka.facts import topic_facts
from shared.streams.kafka.mismatch import mismatch
from shared.streams.kafka.past import KafkaPast
from shared.streams.kafka.processor import KafkaProcessor
from shared.streams.kafka.topics import most_message_bytes, new_topic_options, shortcomings
from shared.streams.parts import SEND_BYTES, parts

logger = get_logger(__name__)

_ANSWER_SECONDS: Final = 3.0
_FLUSH_SECONDS: Final = 6.0
_REFUSED: Final = (KafkaError._AUTHENTICATION, KafkaError._SSL)  # noqa: SLF001 - public names


class KafkaLog:
    """As `EventLog`."""

    def __init__(self, settings: ServiceSettings, client_id: str, health: Health | None = None) -> None:
        self._clients = KafkaClients(settings, client_id, health)
        self._protocol = settings.kafka_security_protocol
        self._checked: set[TopicSpec] = set()

    @property
    def address(self) -> str:
        """The bootstrap servers."""
        return self._clients.address

    def ensure_topics(self, topics: Sequence[TopicSpec]) -> None:
        """As `EventLog.ensure_topics`; waits for the leaders of new topics, and warns about misconfigured ones."""
        refusals: list[KafkaError] = []
        admin = AdminClient(self._clients.admin_options() | {"error_cb": refusals.append})
        try:
            existing = admin.list_topics(timeout=_ANSWER_SECONDS).topics
        except KafkaException as error:
            admin.poll(0.1)  # reports why, such as a wrong password: the call itself only times out
            refused = [
                str(refusal.str()) for refusal in refusals if refusal.code() in _REFUSED or "SSL" in refusal.str()
            ]
            reasons = [reason.partition(" (after ")[0] for reason in refused[-1:]]
            if not reasons or "PLAINTEXT" in reasons[0]:  # librdkafka's guess
                reasons = [found] if (found := mismatch(self.address, self._protocol)) else reasons
            raise LogUnavailable("; ".join([str(translated(error, self.address)), *reasons])) from error
        with self._clients.outages():
            self._check(
                admin, {topic: len(existing[topic.name].partitions) for topic in topics if topic.name in existing}
            )
            missing = [_new_topic(topic) for topic in topics if topic.name not in existing]
            if not missing:
                return
            for created in admin.create_topics(missing, operation_timeout=_ANSWER_SECONDS).values():
                try:
                    created.result(timeout=2 * _ANSWER_SECONDS)
                except KafkaException as error:
                    if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:  # another replica created it
                        raise
            self._wait_for_leaders(admin, [topic.topic for topic in missing])

    def _check(self, admin: AdminClient, partitions: Mapping[TopicSpec, int]) -> None:
        """Warn once about the configuration of each existing topic. The service starts all the same."""
        unchecked = {topic.name: topic for topic in partitions if topic not in self._checked}
        if not unchecked:
            return
        resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in unchecked]
        for resource, answer in admin.describe_configs(resources, request_timeout=_ANSWER_SECONDS).items():
            topic = unchecked[resource.name]
            try:
                options = {name: option.value for name, option in answer.result(2 * _ANSWER_SECONDS).items()}
            except KafkaException as error:  # such as a user who may not read configurations
                logger.warning("cannot read a topic's configuration", topic=topic.name, error=error.args[0].str())
                options = {}
            if (most_bytes := most_message_bytes(options)) is not None:
                self._clients.limit_batches(most_bytes)
            for problem in shortcomings(topic, partitions[topic], options):
                logger.warning("existing topic is misconfigured", topic=topic.name, problem=problem)
            self._checked.add(topic)

    def _wait_for_leaders(self, admin: AdminClient, names: list[str]) -> None:
        deadline = time.monotonic() + _ANSWER_SECONDS
        while True:
            known = admin.list_topics(timeout=_ANSWER_SECONDS).topics
            if all(
                name in known
                and known[name].partitions
                and all(partition.leader >= 0 for partition in known[name].partitions.values())
                for name in names
            ):
                return
            if time.monotonic() > deadline:
                raise LogUnavailable(f"Kafka at {self.address}: the new topics {', '.join(names)} have no leader yet")
            time.sleep(0.05)

    def facts(self, topics: Sequence[str]) -> dict[str, TopicFacts]:
        """As `EventLog.facts`."""
        with self._clients.outages():
            return topic_facts(AdminClient(self._clients.admin_options()), topics)

    def delete(self, topic: str, records: Sequence[Record]) -> int:  # noqa: ARG002 - Kafka deletes only by age
        """As `EventLog.delete`."""
        return 0

    def past(self, topic: str, since_ms: int, end: Mapping[int, int]) -> KafkaPast:
        """As `EventLog.past`."""
        return KafkaPast(self._clients, topic, since_ms, end)

    def consumer(self, topic: str, group: str, listener: Listener) -> "KafkaConsumer":
        """As `EventLog.consumer`."""
        return KafkaConsumer(self._clients, topic, group, listener)

    def producer(self) -> "KafkaProducer":
        """As `EventLog.producer`."""
        return KafkaProducer(self._clients)

    def processor(self, topic: str, group: str) -> "KafkaProcessor":
        """As `EventLog.processor`."""
        return KafkaProcessor(self._clients, topic, group)

    def close(self) -> None:
        """As `EventLog.close`."""


def _new_topic(topic: TopicSpec) -> NewTopic:
    # -1: the brokers' default number of replicas.
    return NewTopic(topic.name, topic.partitions, replication_factor=-1, config=new_topic_options(topic))


class KafkaConsumer:
    """As `Consumer`."""

    def __init__(self, clients: KafkaClients, topic: str, group: str, listener: Listener) -> None:
        self._clients = clients
        self._member = clients.member(topic, group, listener)

    def poll(self, max_records: int, timeout_seconds: float) -> Sequence[Record]:
        """As `Consumer.poll`."""
        with self._clients.outages():
            return self._member.poll(max_records, timeout_seconds)

    def commit(self, next_offsets: Mapping[int, int]) -> None:
        """As `Consumer.commit`."""
        if next_offsets:
            with self._clients.outages():
                self._member.commit(next_offsets)

    def rewind(self) -> None:
        """As `Consumer.rewind`."""
        with self._clients.outages():
            self._member.rewind()

    def lag(self) -> dict[int, int]:
        """As `Consumer.lag`."""
        with self._clients.outages():
            return self._member.lag()

    def revoke_kept(self) -> None:
        """As `Consumer.revoke_kept`."""
        self._member.revoke_kept()

    def close(self) -> None:
        """As `Consumer.close`."""
        self._member.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class KafkaProducer:
    """As `Producer`."""

    def __init__(self, clients: KafkaClients) -> None:
        self._clients = clients
        self._producer = clients.producer()

    def send(self, records: Sequence[NewRecord]) -> None:
        """As `Producer.send`."""
        refused: list[NewRecord] = []
        reason = ""
        with self._clients.outages():
            for part in parts(records, SEND_BYTES):
                for record, error in self._send(part):
                    refused.append(record)
                    reason = str(translated(KafkaException(error), self._clients.address))
        if refused:
            raise Refused(reason, refused)

    def _send(self, records: Sequence[NewRecord]) -> list[tuple[NewRecord, KafkaError]]:
        """Append the records. Returns those that the log refuses. Raises KafkaException."""
        failures: list[tuple[NewRecord, KafkaError]] = []
        produce(self._producer, records, lambda record, error: failures.append((NewRecord(*record), error)))
        if self._producer.flush(_FLUSH_SECONDS):
            # The next send must not wait for records that this one gave up.
            self._producer.purge()
            self._producer.flush(_FLUSH_SECONDS)
        if any(error.fatal() or error.code() in FATAL for _, error in failures):
            self._replace_producer()
        is_refused = any(error.code() in REFUSED for _, error in failures)
        if failures and not is_refused:
            raise KafkaException(failures[0][1])
        if not failures or len(records) == 1:
            return failures
        # The broker refuses a batch for one of its records, and may take those behind it for disordered. So try what
        # failed in smaller batches.
        again = [record for record, _ in failures]
        middle = (len(again) + 1) // 2
        return [failure for half in (again[:middle], again[middle:]) if half for failure in self._send(half)]

    def _replace_producer(self) -> None:
        broken, self._producer = self._producer, self._clients.producer()
        close_producer(broken)

    def close(self) -> None:
        """As `Producer.close`."""
        if self._producer.instantiated:
            with suppress(KafkaException):  # `send` has said what was not sent
                self._producer.flush(_FLUSH_SECONDS)
        close_producer(self._producer)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
