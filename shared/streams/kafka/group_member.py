"""Reading a topic on Kafka as a member of a group."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final, NoReturn

from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import GroupMetadata
from quixstreams.kafka import Consumer

from shared.runtime.logs import get_logger
from shared.streams.event_log import Listener, RecordBatch
from shared.streams.kafka.assignment import TopicAssignment
from shared.streams.kafka.errors import AWAY, FATAL, SessionOver, UnstableOffsets
from shared.streams.kafka.liveness import SILENCE_SECONDS, Liveness
from shared.streams.kafka.messages import MessageBatch, split_errors
from shared.streams.kafka.rebalance_watch import RebalanceWatch
from shared.streams.kafka.unreadable import end_of_unreadable, stand_in
from shared.streams.parts import READ_BYTES

logger = get_logger(__name__)

_MOST_AT_ONCE: Final = 500
"""Messages that are taken before their size is looked at."""

_SLICE_SECONDS: Final = 0.1
"""One wait within a poll: partitions that arrive meanwhile are started after it."""

_LEAVE_SECONDS: Final = 1.0
_LEAVE_SLICE_SECONDS: Final = 0.02

OnError = Callable[[KafkaError], None]
OnCommit = Callable[[KafkaError | None, Sequence[TopicPartition]], None]
OnRecreated = Callable[[str], None]


class GroupMember:
    """Reads a topic for a group. Not thread-safe. Kafka's exceptions pass through."""

    def __init__(
        self,
        make_consumer: Callable[[OnCommit, OnError, OnRecreated], Consumer],
        topic: str,
        listener: Listener,
        *,
        ask_topic_id: Callable[[], str],
        make_observer: Callable[[], Consumer],
        watch: RebalanceWatch | None = None,
        is_named: bool = True,
    ) -> None:
        """`is_named`: an operator chose its name. Such a member stays in the group when it closes."""
        self._is_named = is_named
        self._make_consumer = make_consumer
        self._topic = topic
        self._make_observer = make_observer
        self._watch = watch
        self._assignment = TopicAssignment(topic, listener, ask_topic_id)
        self._commits = _Commits(topic)
        self._liveness = Liveness()
        self._consumer = self._new_consumer()
        self._is_subscribed = False
        self._fenced: KafkaException | None = None
        self._deferred: UnstableOffsets | None = None  # for the next poll, because this one had records too
        self._unreadable: Message | None = None  # same; the error at an unreadable batch

    def _new_consumer(self) -> Consumer:
        return self._make_consumer(self._commits.on_commit, self._on_error, self._assignment.on_recreated)

    def poll(self, max_records: int, timeout_seconds: float) -> RecordBatch:
        """As `Consumer.poll`."""
        if self._fenced is not None:
            raise self._fenced
        if self._deferred is not None:
            deferred, self._deferred = self._deferred, None
            raise deferred
        deadline = time.monotonic() + timeout_seconds
        if not self._is_subscribed:
            self._subscribe()
        self._assignment.owned.begin_poll()
        try:
            self.ask_broker(timeout_seconds)
        except KafkaException:
            # The client reports the end of its session here. Otherwise it would continue without an id, and be fenced
            # when the broker returns.
            if records := self._consume(max_records, 0):
                return records
            raise
        return self._poll_until(deadline, max_records)

    def _poll_until(self, deadline: float, max_records: int) -> RecordBatch:
        while True:
            if self._unreadable is not None:
                return self._skip_unreadable(self._unreadable)
            failure = self._assignment.start_pending(self._consumer)
            remaining = deadline - time.monotonic()
            # Even after a failure: the broker may withhold offsets because a rebalance waits to be served.
            records = self._consume(max_records, max(0.0, min(remaining, _SLICE_SECONDS)))
            if failure is not None and not records:
                raise failure
            if isinstance(failure, UnstableOffsets):
                self._deferred = failure
            if records or time.monotonic() >= deadline:
                if not records and self._assignment.owned.kept:
                    raise SessionOver  # until the group has assigned anew
                return records

    def _subscribe(self) -> None:
        own = self._assignment
        self._consumer.subscribe([self._topic], on_assign=own.on_assign, on_revoke=own.on_revoke, on_lost=own.on_lost)
        self._is_subscribed = True
        if self._is_named:  # another process may have had the name
            self._watch_rebalance()

    def _watch_rebalance(self) -> None:
        if self._watch is not None:
            self._watch.start()

    def ask_broker(self, timeout_seconds: float, silence_seconds: float = SILENCE_SECONDS) -> None:
        """Make sure that a broker answers and has the topic, unless a record came within `silence_seconds`.

        Without the broker many calls would wait long. Without the topic the client waits for it, and reports that only
        once.
        """
        if not self._liveness.must_ask(time.monotonic(), silence_seconds):
            return
        try:
            known = self._consumer.list_topics(self._topic, timeout=self._liveness.answer_seconds(timeout_seconds))
        except KafkaException:
            self._liveness.lose(time.monotonic())
            raise
        missing = known.topics[self._topic].error
        if missing is not None:
            raise KafkaException(KafkaError(missing.code(), f"topic {self._topic}: {missing.str()}"))
        self._liveness.hear(time.monotonic())

    def _on_error(self, error: KafkaError) -> None:
        if error.code() in AWAY:
            self._liveness.lose_connection(time.monotonic())

    def may_be_stale(self) -> bool:
        """Whether a duplicate instance that the broker reports may be a stale member of ours."""
        return not self._is_named or self._liveness.may_be_stale(time.monotonic())

    def commit(self, next_offsets: Mapping[int, int]) -> None:
        """As `Consumer.commit`. Also raises SessionOver.

        Does not wait, because waiting for a broker that hangs could exceed the shutdown deadline. The next commit makes
        up for one that fails, even if nothing changed.
        """
        if self._fenced is not None:
            raise self._fenced
        if self._commits.is_new(next_offsets):
            self._require_session()
            self._consumer.commit(offsets=self.places(next_offsets), asynchronous=True)
            self._commits.sent(next_offsets)

    def membership(self) -> GroupMetadata:
        """What entitles a transaction to commit for this member. Raises SessionOver."""
        self._require_session()
        return self._consumer.consumer_group_metadata()

    def _require_session(self) -> None:
        # A named member without a session has no id, and the broker would take it for one that a duplicate has fenced.
        if not self._consumer.memberid():
            raise SessionOver

    def places(self, offsets: Mapping[int, int]) -> list[TopicPartition]:
        """As `TopicAssignment.places`."""
        return self._assignment.places(offsets)

    def is_reading(self, partition: int) -> bool:
        """Whether this member owns the partition and has started it."""
        return partition in self._assignment.owned.reading

    def rewind(self) -> None:
        """Forget how far we read: the next poll asks the listener again where to start."""
        self._unreadable = None
        self._assignment.rewind(self._consumer)

    def lag(self) -> dict[int, int]:
        """As `TopicAssignment.lag`."""
        return self._assignment.lag(self._consumer)

    def revoke_kept(self) -> None:
        """As `Consumer.revoke_kept`."""
        self._assignment.revoke_kept()

    def close(self) -> None:
        """Revoke every partition, and leave the group unless named."""
        self._assignment.revoke_all()  # first, because leaving waits for a broker that hangs
        if not self._is_named and self._is_subscribed:
            self._leave()
        self._consumer.close()  # calls on_revoke
        if self._watch is not None:
            self._watch.close()
        self._assignment.raise_listener_failure()

    def _leave(self) -> None:
        """Have the client leave the group, which it does not when it closes, because its membership is static."""
        deadline = time.monotonic() + _LEAVE_SECONDS
        with suppress(KafkaException):
            self._consumer.unsubscribe()
            while self._consumer.memberid() and time.monotonic() < deadline:  # it has one until it has asked to leave
                self._consumer.consume(1, timeout=_LEAVE_SLICE_SECONDS)  # calls on_revoke

    def _consume(self, max_records: int, timeout_seconds: float) -> RecordBatch:
        # consume(n) would wait until there are n: wait for the first, then take what is there.
        messages = self._consumer.consume(1, timeout=timeout_seconds)  # calls on_assign, on_revoke and on_commit
        size = sum(map(len, messages))  # of the values
        while messages and len(messages) < max_records and size < READ_BYTES:
            more = self._consumer.consume(min(max_records - len(messages), _MOST_AT_ONCE), timeout=0)
            if not more:
                break
            messages += more
            size += sum(map(len, more))
        self._assignment.raise_listener_failure()
        if self._commits.fatal is not None:
            self._lose_session(self._commits.fatal)
        if self._assignment.has_rejoined:
            self._assignment.has_rejoined = False
            self._watch_rebalance()
        if self._assignment.restart_if_recreated(self._consumer):
            self._commits.forget()
        if not messages:
            return MessageBatch(())
        self._liveness.hear(time.monotonic())
        found = self._without_errors(messages)
        owned = self._assignment.owned
        if not owned.is_settled():
            found = [message for message in found if owned.wants(message.partition())]
        return MessageBatch(found)

    def _without_errors(self, messages: Sequence[Message]) -> Sequence[Message]:
        if not any(map(Message.error, messages)):  # runs in C, per message
            return messages
        found = split_errors(messages, list(map(Message.error, messages)))
        if found.fatal is not None:
            self._lose_session(KafkaException(found.fatal))
        if found.unreadable is not None:
            self._unreadable = found.unreadable
            return found.messages
        if not found.messages:
            raise KafkaException(found.first)
        logger.warning("Kafka reports an error", error=found.first.str(), topic=self._topic)
        return found.messages

    def _skip_unreadable(self, failed: Message) -> RecordBatch:
        """Continue after a batch that the client cannot unpack, with a record that stands for it."""
        partition, begin, reason = failed.partition(), failed.offset(), failed.error().str()
        if not self.is_reading(partition):
            self._unreadable = None
            return RecordBatch(())
        observer = self._make_observer()
        try:
            end = end_of_unreadable(observer, self._topic, partition, begin)
        finally:
            observer.close()
        self._assignment.skip_to(self._consumer, partition, end)
        self._unreadable = None
        if end == begin:
            logger.warning("unreadable records arrived intact, reading them again", topic=self._topic, offset=begin)
            return RecordBatch(())
        return RecordBatch([stand_in(self._topic, partition, begin, end, reason)])

    def _lose_session(self, error: KafkaException) -> NoReturn:
        """Replace the client. It counts as fenced: by a duplicate, by itself, or by a request after its session."""
        if self._consumer.memberid():
            if not self.may_be_stale():
                # The one fatal error that a consumer has. The client reports it once, so it is kept.
                self._fenced = KafkaException(KafkaError(KafkaError.FENCED_INSTANCE_ID, error.args[0].str()))
                raise self._fenced from error
            self._liveness.rejoin(time.monotonic())
        self._assignment.keep_all()
        broken, self._consumer = self._consumer, self._new_consumer()
        self._is_subscribed = False
        self._commits.forget()
        self._assignment.newest_topic_id = ""  # the new client may have missed a change
        broken.close()
        self._commits.fatal = None  # closing may report one more
        raise SessionOver from error


class _Commits:
    """What a member committed last, and what became of it."""

    def __init__(self, topic: str) -> None:
        self.fatal: KafkaException | None = None
        self._topic = topic
        self._last: Mapping[int, int] = {}  # empty if it failed

    def is_new(self, next_offsets: Mapping[int, int]) -> bool:
        return next_offsets != self._last

    def sent(self, next_offsets: Mapping[int, int]) -> None:
        self._last = dict(next_offsets)

    def forget(self) -> None:
        """Commit the next time even if nothing changed."""
        self._last = {}

    def on_commit(self, error: KafkaError | None, places: Sequence[TopicPartition]) -> None:
        """Called by the client within `consume`."""
        failed = error or next((place.error for place in places if place.error is not None), None)
        if failed is not None:
            logger.debug("offsets not committed", error=failed.str(), topic=self._topic)
            self.forget()
            if failed.code() in FATAL:
                self.fatal = KafkaException(failed)
