"""Partitions that a group assigns and revokes: starting them at the right offset, and reporting both to a listener."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from confluent_kafka import Consumer as Client
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from quixstreams.kafka import Consumer

from shared.runtime.logs import get_logger
from shared.streams.event_log import Assignment, FromCommitted, FromOffset, FromTime, Listener, Position
from shared.streams.kafka.errors import AWAY, UnstableOffsets
from shared.streams.kafka.owned_partitions import OwnedPartitions, Started
from shared.streams.kafka.start_offset import Committed, Verdict, judge_committed, offset_at_time, retained_offset

logger = get_logger(__name__)

_ANSWER_SECONDS: Final = 2.0


class TopicAssignment:
    """The partitions of a topic that a member owns. Kafka's exceptions pass through.

    A partition that arrives in a rebalance is assigned to the client when the next poll has found out where it starts:
    asking the broker for its offsets and the listener for its position may fail, and the poll after that retries.

    It is assigned to the client with its offset, and never moved by `seek`: a client that looks up where a partition
    begins, as it does without an offset, may go there half a second after the seek. (librdkafka takes the answer for
    outdated, and asks again: rd_kafka_toppar_handle_Offset, 2.12.)

    When the session of the member ends or the topic is deleted, its partitions are kept: they are not read, and the
    listener holds on to their state until the group has assigned anew, or until `revoke_kept`. An outage of the broker
    ends every session and moves no partition.
    """

    def __init__(self, topic: str, listener: Listener, ask_topic_id: Callable[[], str]) -> None:
        self.owned = OwnedPartitions()
        self.newest_topic_id = ""  # set when the client saw it change
        self._topic = topic
        self._listener = listener
        self._ask_topic_id = ask_topic_id
        self._listener_failure: Exception | None = None  # within a rebalance
        self.has_rejoined = False  # the group assigned partitions after it had dropped us

    # --- within the client's calls ------------------------------------------------------------------------------------

    def on_assign(self, client: Client, partitions: list[TopicPartition]) -> None:
        """The group assigned partitions: they are pending. Others that were kept belong to another member by now."""
        client.incremental_assign([])  # or the client would assign all of them by itself
        had_kept = bool(self.owned.kept)
        self.owned.assign(partition.partition for partition in partitions)
        if had_kept and not self._is_topic_missing():
            self.has_rejoined = True
            self.revoke_kept()

    def on_lost(self, client: Client, partitions: list[TopicPartition]) -> None:
        """The session is over: the partitions are kept."""
        lost = {partition.partition for partition in partitions}
        self.owned.keep(lost)
        self._unassign(client, lost)

    def on_revoke(self, client: Client, partitions: list[TopicPartition]) -> None:
        """The group revoked partitions. Those of a deleted topic are kept, as no member gets them."""
        revoked = {partition.partition for partition in partitions}
        if self.owned.any & revoked and self._is_topic_missing():
            self.owned.keep(revoked)
        else:
            self.revoke(revoked)
        self._unassign(client, revoked)

    def _is_topic_missing(self) -> bool:
        try:
            self._ask_topic_id()  # through another client: this one takes no call within its own
        except KafkaException as error:
            is_missing: bool = error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART
            return is_missing
        return False

    def _unassign(self, client: Client, revoked: set[int]) -> None:
        try:
            has = {partition.partition for partition in client.assignment()}
            client.incremental_unassign(self._partitions(revoked & has))  # it rejects those that it was not assigned
        except KafkaException as error:
            # A client that closes before it reported a revocation reports two: that one, and the rest. With the first
            # it gives everything up, and is closed when it reports the second.
            if error.args[0].code() != KafkaError._DESTROY:  # noqa: SLF001 - its public name
                raise

    def on_recreated(self, topic_id: str) -> None:
        """The client saw the topic's id change, to this one."""
        self.newest_topic_id = topic_id

    # --- between them -------------------------------------------------------------------------------------------------

    def revoke(self, partitions: Iterable[int]) -> None:
        """Give partitions up, and report to the listener those that it took over."""
        for partition in self.owned.revoke(partitions):
            try:
                self._listener.on_revoked(partition)
            except Exception as error:  # noqa: BLE001 - Quix Streams would wrap it; raised when the rebalance is over
                self._listener_failure = self._listener_failure or error

    def revoke_all(self) -> None:
        """Give every partition up."""
        self.revoke(self.owned.any)

    def keep_all(self) -> None:
        """Keep every partition."""
        self.owned.keep(self.owned.any)

    def revoke_kept(self) -> None:
        """Give up what is kept."""
        self.revoke(self.owned.kept)

    def raise_listener_failure(self) -> None:
        """Raise what the listener raised within a rebalance."""
        failure, self._listener_failure = self._listener_failure, None
        if failure is not None:
            raise failure

    def start_pending(self, consumer: Consumer) -> KafkaException | None:
        """Start what can be started. Returns why the others cannot: UnstableOffsets before anything else."""
        if not self.owned.pending:
            return None
        try:
            topic_id = self._ask_topic_id()
        except KafkaException as error:
            return error
        if self.newest_topic_id not in ("", topic_id):  # of several brokers one may learn of it later
            return KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_ID, "a broker reports another topic"))
        failure: KafkaException | None = None
        for partition in self.owned.pending:
            try:
                self._start(consumer, partition, topic_id)
            except UnstableOffsets as error:
                failure = error
            except KafkaException as error:
                failure = failure or error
                if error.args[0].code() in AWAY:
                    break  # the others would wait as long
        return failure

    def rewind(self, consumer: Consumer) -> None:
        """Make every partition pending: the next poll asks the listener again where to start."""
        consumer.incremental_unassign(self._partitions(self.owned.reading))
        self.owned.rewind()

    def skip_to(self, consumer: Consumer, partition: int, offset: int) -> None:
        """Continue a partition that is read at a later offset."""
        consumer.incremental_unassign(self._partitions([partition]))
        consumer.incremental_assign([TopicPartition(self._topic, partition, offset)])

    def restart_if_recreated(self, consumer: Consumer) -> bool:
        """Restart every partition if the topic was recreated: the client would continue at its old offset.

        The client reports the change ahead of the first new record.
        """
        if not self.newest_topic_id or not self.owned.is_outdated(self.newest_topic_id):
            return False
        logger.warning("topic recreated, reading it from the beginning", topic=self._topic)
        reading = set(self.owned.reading)
        consumer.incremental_unassign(self._partitions(reading))
        self.revoke(reading)
        self.owned.assign(reading)
        return True

    def places(self, offsets: Mapping[int, int]) -> list[TopicPartition]:
        """Offsets by partition, as Kafka's client takes them, each with the id of its topic."""
        reading = self.owned.reading
        return [
            TopicPartition(self._topic, partition, offset, reading[partition].topic_id)
            if partition in reading
            else TopicPartition(self._topic, partition, offset)
            for partition, offset in offsets.items()
        ]

    def lag(self, consumer: Consumer) -> dict[int, int]:
        """As `Consumer.lag`, as of the last fetch. It counts transaction markers as records."""
        lag = {}
        for place in consumer.position(self._partitions(self.owned.reading)):
            started = self.owned.reading[place.partition]
            _, end_offset = consumer.get_watermark_offsets(place, cached=True)
            lag[place.partition] = max(0, max(end_offset, started.end_offset) - max(place.offset, started.offset))
        return lag

    # --- starting a partition -----------------------------------------------------------------------------------------

    def _start(self, consumer: Consumer, partition: int, topic_id: str) -> None:
        place = TopicPartition(self._topic, partition)
        begin, end = consumer.get_watermark_offsets(place, timeout=_ANSWER_SECONDS)
        assignment = Assignment(partition, begin, end, topic_id)
        position = self._listener.on_assigned(assignment)
        self.owned.open(partition)
        place.offset = self._start_offset(consumer, assignment, position)
        consumer.incremental_assign([place])
        self.owned.start(partition, Started(place.offset, end, topic_id))

    def _start_offset(self, consumer: Consumer, assignment: Assignment, position: Position) -> int:
        match position:
            case FromTime(timestamp_ms):
                asked = TopicPartition(self._topic, assignment.partition, timestamp_ms)
                found = _only(consumer.offsets_for_times([asked], timeout=_ANSWER_SECONDS))
                return offset_at_time(found.offset, assignment)
            case FromOffset(offset):
                return retained_offset(offset, assignment)
            case FromCommitted():
                committed = self._committed(consumer, assignment.partition)
                verdict = judge_committed(committed, assignment)
                self._report(verdict, committed.offset, assignment)
                return committed.offset if verdict is Verdict.USABLE else assignment.begin_offset

    def _report(self, verdict: Verdict, committed: int, assignment: Assignment) -> None:
        """Log lost records. A listener that starts at its own offset knows the ends, and reports them itself."""
        place = {"topic": self._topic, "partition": assignment.partition, "committed": committed}
        if verdict is Verdict.RECREATED:
            logger.warning("topic recreated, reading it from the beginning", **place, end=assignment.end_offset)
        elif verdict is Verdict.EXPIRED:
            missing = assignment.begin_offset - committed
            logger.warning("records left retention before they were read", **place, missing=missing)

    def _committed(self, consumer: Consumer, partition: int) -> Committed:
        try:
            found = _only(consumer.committed([TopicPartition(self._topic, partition)], timeout=_ANSWER_SECONDS))
        except KafkaException as error:
            if error.args[0].code() == KafkaError._TIMED_OUT:  # noqa: SLF001 - its public name
                raise UnstableOffsets(*error.args) from error
            raise
        return Committed(found.offset, found.metadata or "")

    def _partitions(self, numbers: Iterable[int]) -> list[TopicPartition]:
        return [TopicPartition(self._topic, number) for number in numbers]


def _only(answers: Sequence[TopicPartition]) -> TopicPartition:
    (answer,) = answers
    if answer.error is not None:
        raise KafkaException(answer.error)
    return answer
