"""Reading a topic on Kafka as a member of a group."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import repeat
from typing import Any, Final, NamedTuple, NoReturn, overload

from confluent_kafka import Consumer as Client
from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import GroupMetadata
from quixstreams.kafka import Consumer

from shared.runtime.logs import get_logger
from shared.streams.event_log import (
    Assignment,
    FromCommitted,
    FromOffset,
    FromTime,
    Headers,
    Listener,
    Position,
    Record,
    RecordBatch,
)
from shared.streams.kafka.second_round import SecondRound

logger = get_logger(__name__)

_SLICE_SECONDS: Final = 0.1
"""One wait within a poll: partitions that arrive meanwhile are started after it."""

_SILENCE_SECONDS: Final = 3.0
"""After so long without a record the broker is asked whether it is there, because a dead one says nothing."""

_LEAST_ANSWER_SECONDS: Final = 0.25
_CONNECT_SECONDS: Final = 1.0
_ANSWER_SECONDS: Final = 2.0

_GHOST_SECONDS: Final = 30.0
"""For so long after an outage our own name, held by what the broker remembers of us, is no other process.

A coordinator that is new, or starts again, may know of a membership before the last: it is told of each, and may crash
or be cut off before it is kept, or before its answer reaches us.
"""

OnError = Callable[[KafkaError], None]
OnCommit = Callable[[KafkaError | None, Sequence[TopicPartition]], None]
OnMadeAnew = Callable[[str], None]

_FATAL: Final = (KafkaError._FATAL, KafkaError.FENCED_INSTANCE_ID)  # noqa: SLF001 - its public name


_make_record: Final[Callable[[tuple[Any, ...]], Record]] = partial(tuple.__new__, Record)
"""A record from all its fields, in a third of the time that the class takes."""


AWAY: Final = (KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError._ALL_BROKERS_DOWN)  # noqa: SLF001 - likewise
"""The broker did not hear of what failed so, or did not answer."""


class UnstableOffsets(KafkaException):  # type: ignore[misc]  # confluent_kafka has no types
    """The broker withholds committed offsets, because a transaction that commits some is not at its end."""


class SessionOver(KafkaException):  # type: ignore[misc]  # likewise
    """The group did not hear of us for a session and forgot us. The next poll joins it again."""

    def __init__(self) -> None:
        super().__init__(KafkaError(KafkaError.UNKNOWN_MEMBER_ID, "the session in the group is over"))


class _Started(NamedTuple):
    """Where reading a partition started, where its end was then, and of which topic."""

    offset: int
    end_offset: int
    topic_id: str


class Reader:
    """Reads a topic for a group. Not thread-safe. Kafka's exceptions pass through.

    A partition that arrives in a rebalance is the client's when the next poll has found out where it starts: asking the
    broker for its offsets and the listener for its position may fail, and is tried again by the poll after that.

    It is given to the client with its offset, and never moved by `seek`: a client that looks up where a partition
    begins, as it does without an offset, may go there half a second after the seek. (librdkafka takes the answer for
    outdated, and asks again: rd_kafka_toppar_handle_Offset, 2.12.)
    """

    def __init__(
        self,
        make_consumer: Callable[[OnCommit, OnError, OnMadeAnew], Consumer],
        topic: str,
        listener: Listener,
        *,
        ask_topic_id: Callable[[], str],
        second_round: SecondRound | None = None,
    ) -> None:
        self._second_round = second_round
        self._ask_topic_id = ask_topic_id
        self._make_consumer = make_consumer
        self._consumer = self._new_consumer()
        self._topic = topic
        self._listener = listener
        self._arriving: set[int] = set()
        self._reading: dict[int, _Started] = {}
        self._left: set[int] = set()  # since the poll began
        self._failure: Exception | None = None  # of the listener, within a rebalance
        self._fatal: KafkaException | None = None
        self._deferred: UnstableOffsets | None = None  # for the next poll, as there were records beside it
        self._told: Mapping[int, int] = {}  # what was committed last, unless that failed
        self._commit_failure: KafkaException | None = None  # a fatal one
        self._heard_at = float("-inf")  # time.monotonic() of the broker's last sign of life
        self._away_at = float("-inf")  # likewise, of its absence
        self._believed_at = float("-inf")  # likewise, when a twin was taken for ourselves
        self._subscribed = False
        self._newest_id = ""  # of the topic, if the client saw it change

    def _new_consumer(self) -> Consumer:
        return self._make_consumer(self._on_commit, self._on_error, self._on_made_anew)

    def poll(self, max_records: int, timeout_seconds: float) -> RecordBatch:
        """As `Consumer.poll`."""
        if self._fatal is not None:
            raise self._fatal
        if self._deferred is not None:
            deferred, self._deferred = self._deferred, None
            raise deferred
        deadline = time.monotonic() + timeout_seconds
        if not self._subscribed:
            self._subscribe()
        self._left.clear()
        try:
            self.ask_broker(timeout_seconds)
        except KafkaException:
            # A session that ends is told here. Untold, the client would go on under no id, and be fenced on the return.
            if records := self._consume(max_records, 0):
                return records
            raise
        while True:
            failure = self._start_arrived()
            remaining = deadline - time.monotonic()
            # Even then: a rebalance that waits to be served may be why the broker does not tell offsets.
            records = self._consume(max_records, max(0.0, min(remaining, _SLICE_SECONDS)))
            if failure is not None and not records:
                raise failure
            if isinstance(failure, UnstableOffsets):
                self._deferred = failure
            if records or time.monotonic() >= deadline:
                return records

    def _subscribe(self) -> None:
        self._consumer.subscribe(
            [self._topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_revoke
        )
        self._subscribed = True
        if self._second_round is not None:
            self._second_round.start()

    def ask_broker(self, timeout_seconds: float, silence_seconds: float = _SILENCE_SECONDS) -> None:
        """Make sure that a broker answers and has the topic, if no record came lately.

        Without the broker many a call would wait long; without the topic the client waits for it, and tells only once.
        """
        if time.monotonic() - self._heard_at > silence_seconds:
            is_connected = self._heard_at > float("-inf")  # connecting takes longer than an answer, with TLS above all
            least_seconds = _LEAST_ANSWER_SECONDS if is_connected else _CONNECT_SECONDS
            try:
                known = self._consumer.list_topics(self._topic, timeout=max(timeout_seconds, least_seconds))
            except KafkaException:
                self._away_at = time.monotonic()
                raise
            missing = known.topics[self._topic].error
            if missing is not None:
                raise KafkaException(KafkaError(missing.code(), f"topic {self._topic}: {missing.str()}"))
            self._heard_at = time.monotonic()

    def _on_error(self, error: KafkaError) -> None:
        # A new client tells of each address that it tries: of those no outage follows.
        if error.code() in AWAY and time.monotonic() - self._believed_at > _GHOST_SECONDS:
            self._away_at = time.monotonic()

    def may_fence_itself(self) -> bool:
        """Whether a twin that the broker tells of may be what it remembers of us."""
        return time.monotonic() - self._away_at < _GHOST_SECONDS

    def commit(self, next_offsets: Mapping[int, int]) -> None:
        """As `Consumer.commit`. Raises SessionOver, too.

        It does not wait: for a broker that hangs that may take longer than a stop. One that fails is made up for by the
        next, even if nothing changed.
        """
        if self._fatal is not None:
            raise self._fatal
        if next_offsets != self._told:
            self._ask_membership()
            self._consumer.commit(offsets=self.places(next_offsets), asynchronous=True)
            self._told = dict(next_offsets)

    def _on_commit(self, error: KafkaError | None, places: Sequence[TopicPartition]) -> None:
        failed = error or next((place.error for place in places if place.error is not None), None)
        if failed is not None:
            logger.debug("offsets not committed", error=failed.str(), topic=self._topic)
            self._told = {}
            if failed.code() in _FATAL:
                self._commit_failure = KafkaException(failed)

    def membership(self) -> GroupMetadata:
        """What a transaction proves with that it may commit for us. Raises SessionOver."""
        self._ask_membership()
        return self._consumer.consumer_group_metadata()

    def _ask_membership(self) -> None:
        # A named member whose session is over has no id, so that the broker takes it for one that a twin has fenced.
        if not self._consumer.memberid():
            raise SessionOver

    def places(self, offsets: Mapping[int, int]) -> list[TopicPartition]:
        """Offsets by partition, as Kafka's client takes them, each with the id of the topic that it is of."""
        return [
            TopicPartition(self._topic, partition, offset, self._reading[partition].topic_id)
            if partition in self._reading
            else TopicPartition(self._topic, partition, offset)
            for partition, offset in offsets.items()
        ]

    def is_reading(self, partition: int) -> bool:
        """Whether the partition is ours and its position is known."""
        return partition in self._reading

    def rewind(self) -> None:
        """Forget how far we read: the next poll asks the listener again where to start."""
        self._consumer.incremental_unassign(self._partitions(self._reading))
        self._arriving.update(self._reading)
        self._reading.clear()

    def lag(self) -> dict[int, int]:
        """As `Consumer.lag`, as of the last fetch. It counts the markers of transactions among the records."""
        lag = {}
        for place in self._consumer.position(self._partitions(self._reading)):
            started = self._reading[place.partition]
            _, end_offset = self._consumer.get_watermark_offsets(place, cached=True)
            lag[place.partition] = max(0, max(end_offset, started.end_offset) - max(place.offset, started.offset))
        return lag

    def close(self) -> None:
        """Revoke every partition and leave the group."""
        self._revoke(self._arriving | self._reading.keys())  # first, as leaving waits for a broker that hangs
        self._consumer.close()  # calls _on_revoke
        if self._second_round is not None:
            self._second_round.close()
        self._raise_failure()

    # --- consuming ---------------------------------------------------------------------------------------------------

    def _consume(self, max_records: int, timeout_seconds: float) -> RecordBatch:
        # consume(n) would wait until all n are there: wait for the first, then take what is there.
        messages = self._consumer.consume(1, timeout=timeout_seconds)  # calls _on_assign, _on_revoke and _on_commit
        if messages and max_records > 1:
            messages += self._consumer.consume(max_records - 1, timeout=0)
        self._raise_failure()
        if self._commit_failure is not None:
            self._fail(self._commit_failure)
        if self._newest_id and any(started.topic_id != self._newest_id for started in self._reading.values()):
            self._begin_anew()  # the change is told ahead of the first new record
        if not messages:
            return MessageBatch(())
        self._heard_at = time.monotonic()
        if any(map(Message.error, messages)):
            messages = self._without_errors(messages)
        if self._left or self._arriving:  # what came before a rebalance within this poll
            messages = [message for message in messages if self._is_due(message.partition())]
        return MessageBatch(messages)

    def _on_made_anew(self, topic_id: str) -> None:
        self._newest_id = topic_id

    def _begin_anew(self) -> None:
        """Start every partition again, as the client itself would go on at the offset that it was at."""
        logger.warning("the topic was made anew, reading it from its beginning", topic=self._topic)
        reading = set(self._reading)
        self._consumer.incremental_unassign(self._partitions(reading))
        self._revoke(reading)
        self._arriving |= reading
        self._told = {}

    def _without_errors(self, messages: Sequence[Message]) -> list[Message]:
        records = [message for message in messages if message.error() is None]
        errors = [message.error() for message in messages if message.error() is not None]
        fatal = next((error for error in errors if error.code() in _FATAL), None)
        if fatal is not None:
            self._fail(KafkaException(fatal))
        if not records:
            raise KafkaException(errors[0])
        logger.warning("Kafka reports an error", error=errors[0].str(), topic=self._topic)
        return records

    def _fail(self, error: KafkaException) -> NoReturn:
        """Give up the client, which holds itself for fenced: by a twin, itself, or what it sent after its session."""
        if self._consumer.memberid():
            if not self.may_fence_itself():
                # Of a consumer, the one fatal error that there is. It is said once, and nothing comes after it.
                self._fatal = KafkaException(KafkaError(KafkaError.FENCED_INSTANCE_ID, error.args[0].str()))
                raise self._fatal from error
            # Once an outage, or two twins would fence each other for ever.
            self._away_at, self._believed_at = float("-inf"), time.monotonic()
        logger.warning("the session in the group is over, joining it anew", topic=self._topic)
        broken, self._consumer = self._consumer, self._new_consumer()
        self._subscribed, self._told, self._newest_id = False, {}, ""  # the new one may have missed a change
        broken.close()
        self._commit_failure = None  # closing may tell of one more
        self._revoke(self._arriving | self._reading.keys())
        raise SessionOver from error

    def _is_due(self, partition: int | None) -> bool:
        return partition in self._reading and partition not in self._left

    # --- assignment --------------------------------------------------------------------------------------------------

    def _on_assign(self, client: Client, partitions: list[TopicPartition]) -> None:
        client.incremental_assign([])  # or the client would do it, with all of them
        self._arriving |= {partition.partition for partition in partitions}

    def _on_revoke(self, client: Client, partitions: list[TopicPartition]) -> None:
        revoked = {partition.partition for partition in partitions}
        self._revoke(revoked)
        try:
            has = {partition.partition for partition in client.assignment()}
            client.incremental_unassign(self._partitions(revoked & has))  # likewise, with those that it has not got
        except KafkaException as error:
            # A client that closes before it has told of a revocation tells of two: of that one, and of the rest. With
            # the first it gives everything up, and is through when it tells of the second.
            if error.args[0].code() != KafkaError._DESTROY:  # noqa: SLF001 - its public name
                raise

    def _revoke(self, partitions: set[int]) -> None:
        self._left |= partitions
        self._arriving -= partitions
        for partition in sorted(partitions & self._reading.keys()):
            del self._reading[partition]
            try:
                self._listener.on_revoked(partition)
            except Exception as error:  # noqa: BLE001 - Quix Streams would wrap it; raised when the rebalance is over
                self._failure = self._failure or error

    def _raise_failure(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _start_arrived(self) -> KafkaException | None:
        """Start what can be started. Returns why the others cannot: UnstableOffsets rather than anything else."""
        if not self._arriving:
            return None
        try:
            topic_id = self._ask_topic_id()
        except KafkaException as error:
            return error
        if self._newest_id not in ("", topic_id):  # of several brokers one may know it later
            return KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_ID, "a broker tells of another topic"))
        failure: KafkaException | None = None
        for partition in sorted(self._arriving):
            try:
                self._start(partition, topic_id)
            except UnstableOffsets as error:
                failure = error
            except KafkaException as error:
                failure = failure or error
                if error.args[0].code() in AWAY:
                    break  # the others would wait as long
        return failure

    def _start(self, partition: int, topic_id: str) -> None:
        place = TopicPartition(self._topic, partition)
        low, high = self._consumer.get_watermark_offsets(place, timeout=_ANSWER_SECONDS)
        assignment = Assignment(partition, low, high, topic_id)
        place.offset = self._offset(place, self._listener.on_assigned(assignment), assignment)
        self._consumer.incremental_assign([place])
        self._arriving.discard(partition)
        self._left.discard(partition)  # it came back: what is read from now on is from where it starts
        self._reading[partition] = _Started(place.offset, high, topic_id)

    def _offset(self, place: TopicPartition, position: Position, assignment: Assignment) -> int:
        begin, end = assignment.begin_offset, assignment.end_offset
        match position:
            case FromTime(timestamp_ms):
                asked = TopicPartition(place.topic, place.partition, timestamp_ms)
                found = self._only(self._consumer.offsets_for_times([asked], timeout=_ANSWER_SECONDS))
                return found.offset if found.offset >= 0 else end
            case FromOffset(offset):
                wanted = offset
            case FromCommitted():
                committed = self._committed(place)
                wanted = begin if self._is_void(committed, assignment) else committed.offset
        # Ahead of the end: the topic was deleted and made anew since, so that nothing of it has been read.
        return wanted if begin <= wanted <= end else begin

    def _is_void(self, committed: TopicPartition, assignment: Assignment) -> bool:
        """Whether the offset is of a topic before this one, or of records that expired.

        It tells what nobody else does: who starts at an offset of its own knows the ends and judges them itself.
        """
        place = {"topic": self._topic, "partition": assignment.partition, "committed": committed.offset}
        begin, end = assignment.begin_offset, assignment.end_offset
        is_of_another = committed.metadata and assignment.topic_id and committed.metadata != assignment.topic_id
        if is_of_another or committed.offset > end:
            logger.warning("the topic was made anew, reading it from its beginning", **place, end=end)
            return True
        if 0 <= committed.offset < begin:
            logger.warning("records left retention before they were read", **place, missing=begin - committed.offset)
        return bool(committed.offset < begin)

    def _committed(self, place: TopicPartition) -> TopicPartition:
        try:
            return self._only(self._consumer.committed([place], timeout=_ANSWER_SECONDS))
        except KafkaException as error:
            if error.args[0].code() == KafkaError._TIMED_OUT:  # noqa: SLF001 - its public name
                raise UnstableOffsets(*error.args) from error
            raise

    def _only(self, answers: Sequence[TopicPartition]) -> TopicPartition:
        (answer,) = answers
        if answer.error is not None:
            raise KafkaException(answer.error)
        return answer

    def _partitions(self, numbers: Iterable[int]) -> list[TopicPartition]:
        return [TopicPartition(self._topic, number) for number in numbers]


class MessageBatch(RecordBatch):
    """Messages without errors, as records. What is done for each runs in C: it is most of what reading costs."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self._messages = messages

    @property
    def values(self) -> Sequence[bytes]:
        """As `RecordBatch.values`."""
        values: list[bytes] = list(map(Message.value, self._messages))
        return [value or b"" for value in values] if None in values else values  # None is a tombstone

    @property
    def timestamps_ms(self) -> Sequence[int]:
        """As `RecordBatch.timestamps_ms`."""
        return [timestamp_ms for _, timestamp_ms in map(Message.timestamp, self._messages)]

    def next_offsets(self) -> dict[int, int]:
        """As `RecordBatch.next_offsets`."""
        last = dict(zip(map(Message.partition, self._messages), map(Message.offset, self._messages), strict=True))
        return {partition: offset + 1 for partition, offset in last.items()}

    def __len__(self) -> int:
        return len(self._messages)

    def __iter__(self) -> Iterator[Record]:
        messages = self._messages
        headers = list(map(Message.headers, messages))
        return map(
            _make_record,
            zip(
                map(Message.partition, messages),
                map(Message.offset, messages),
                self.timestamps_ms,
                map(Message.key, messages),
                self.values,
                map(_decode_headers, headers) if any(headers) else repeat((), len(headers)),
                strict=True,
            ),
        )

    @overload
    def __getitem__(self, place: int) -> Record: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Record]: ...
    def __getitem__(self, place: int | slice) -> Record | Sequence[Record]:
        if isinstance(place, slice):
            return MessageBatch(self._messages[place])
        (record,) = MessageBatch((self._messages[place],))
        return record


def _decode_headers(headers: list[tuple[str, bytes | None]] | None) -> Headers:
    return tuple((name, value or b"") for name, value in headers) if headers else ()
