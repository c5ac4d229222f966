"""Accepted means logged: clicks wait in a bounded queue until the event log has acknowledged them.

One thread sends all that waits in one call. So the clicks of requests share it that arrive within GATHER_SECONDS, or
while it waits for the log.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from threading import Condition, Event, Thread
from typing import Final, NamedTuple

from services.collect.clicks import Click
from shared.events.collected import Refused as NotAccepted
from shared.events.dead_letters import NewDeadLetter
from shared.runtime.dependency import Dependency, Stopped
from shared.runtime.logs import get_logger
from shared.runtime.redis_client import REDIS_UNAVAILABLE
from shared.status.health import Health
from shared.streams.event_log import LogUnavailable, NewRecord, Producer, Refused
from shared.streams.refused import send_dead_letter

logger = get_logger(__name__)

MOST_WAITING_BYTES: Final = 64 << 20
"""Of clicks that wait for the log; more are answered with 503."""

GATHER_SECONDS: Final = 0.002
"""How long the first click waits for others. Waking the thread for each request would cost more than the request."""

FULL_SECONDS: Final = 10.0
"""How long the health stays degraded after a click was refused for it. Under load the queue fills and drains often."""

_MOST_SENT: Final = 20_000  # clicks in one call
_PROBE_SECONDS: Final = 0.5  # between attempts while the log is away
_NO_SALT: Final = "answering 503: the day's salt is in Redis"
_CLICK_BYTES: Final = 512  # what one takes in memory besides its text, about


class Unavailable(Exception):  # noqa: N818 - a condition, not a mistake
    """The log did not acknowledge the clicks: some may have been appended. The client should send them again."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Outgoing(NamedTuple):
    """The clicks of one request. `identities` has the text to hash for each that has no user id, else None."""

    clicks: Sequence[Click]
    identities: Sequence[str | None]
    dead_letters: Sequence[NewDeadLetter] = ()


Done = Callable[[Unavailable | None], None]
"""Called in the event loop: None once the log has all clicks of a request, else why it has not."""


class _Waiting(NamedTuple):
    outgoing: Outgoing
    size: int
    done: Done


class Appender:
    """Sends what it is given. `append` and `submit` belong to the event loop, everything else to the thread."""

    def __init__(
        self,
        producer: Producer,
        topic: str,
        pseudonyms_of: Callable[[Sequence[Click]], Sequence[str]],
        log: Dependency,
        redis: Dependency,
        *,
        health: Health,
        prepare: Callable[[], None] = lambda: None,
        ping_redis: Callable[[], object] = lambda: None,
        observe_seconds: Callable[[float], None] = lambda _: None,
        on_ready: Callable[[], None] = lambda: None,
        on_end: Callable[[], None] = lambda: None,
        most_waiting_bytes: int = MOST_WAITING_BYTES,
        full_seconds: float = FULL_SECONDS,
    ) -> None:
        """`pseudonyms_of` gives the visitor for each click, whose `userId` is the text to hash.

        The thread first calls `prepare` until it raises LogUnavailable no more, then `on_ready`; and `on_end` if it
        ends by itself, for the reason `ended`. During an outage it asks with `prepare` and `ping_redis` whether it is
        over, so that the service gets ready again although no click comes. `observe_seconds` gets the duration of
        each call to the log.
        """
        self._producer, self._topic, self._pseudonyms_of = producer, topic, pseudonyms_of
        self._log, self._redis, self._health = log, redis, health
        self._prepare, self._on_ready, self._on_end = prepare, on_ready, on_end
        self._ping_redis, self._observe_seconds = ping_redis, observe_seconds
        self._most_waiting_bytes, self._full_seconds = most_waiting_bytes, full_seconds
        self._gathered: list[_Waiting] = []  # the event loop's
        self._waiting: list[_Waiting] = []  # the thread's, once it is woken
        self._added_bytes = self._taken_bytes = 0  # each has one writer
        self._changed = Condition()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_ready = False
        self._is_away = False  # the last call failed: what comes now is refused at once, but for a probe
        self._probed_at = float("-inf")
        self._is_refusing = False  # the log answers but takes no clicks, so asking whether it answers says nothing
        self._full_at: float | None = None  # when a click was last refused because too many waited
        self._stopped = Event()
        self._thread = Thread(target=self._run, name="appender", daemon=True)
        self.ended: Exception | None = None

    @property
    def is_accepting(self) -> bool:
        """Whether clicks are accepted now; else they get 503."""
        return self._is_ready and not self._is_away and not self._stopped.is_set()

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """Send what waits, then end the thread."""
        with self._changed:
            self._stopped.set()
            self._changed.notify()
        self._thread.join()

    async def append(self, outgoing: Outgoing) -> None:
        """Return when the log has them all. Raises Unavailable."""
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.submit(outgoing, partial(_settle, answer))
        await answer

    def submit(self, outgoing: Outgoing, done: Done) -> None:
        """Call `done` when the log has them all, or will not. Raises Unavailable if that is known at once.

        It costs less than a task that waits: the event loop has one callback for all requests of a call to the log.
        """
        if self._stopped.is_set() or not self._is_ready:
            raise Unavailable(NotAccepted.LOG_UNAVAILABLE)
        if self._is_away:
            now = time.monotonic()
            if now < self._probed_at + _PROBE_SECONDS:
                raise Unavailable(NotAccepted.LOG_UNAVAILABLE)
            self._probed_at = now
        size = 0
        for click in outgoing.clicks:
            size += _CLICK_BYTES + len(click.url or "") + len(click.userAgent or "")
        for letter in outgoing.dead_letters:
            size += len(letter.value)
        waiting_bytes = self._added_bytes - self._taken_bytes
        if waiting_bytes and waiting_bytes + size > self._most_waiting_bytes:
            self._note_full(waiting_bytes)
            raise Unavailable(NotAccepted.OVERLOADED)
        self._added_bytes += size
        if not self._gathered:
            self._loop = asyncio.get_running_loop()
            self._loop.call_later(GATHER_SECONDS, self._hand_over)
        self._gathered.append(_Waiting(outgoing, size, done))

    def _hand_over(self) -> None:
        gathered, self._gathered = self._gathered, []
        with self._changed:
            self._waiting += gathered
            self._changed.notify()
        if self.ended is not None:  # nobody takes them any more
            _report(gathered, Unavailable(NotAccepted.LOG_UNAVAILABLE))

    def _run(self) -> None:
        batch: list[_Waiting] = []
        try:
            self._log.wait_for(self._prepare, LogUnavailable, self._stopped)
            self._is_ready = True
            self._on_ready()
            while (batch := self._await_batch()) or not self._stopped.is_set():
                if batch:
                    self._answer(batch, self._failure_of(batch))
                else:
                    self._probe()
        except Stopped:
            pass
        except Exception as error:  # noqa: BLE001 - the process ends with it, see `ended`
            self.ended = error
            self._stopped.set()
            self._on_end()
            with self._changed:
                self._answer(batch + self._waiting, Unavailable(NotAccepted.LOG_UNAVAILABLE))

    def _await_batch(self) -> list[_Waiting]:
        """What waits; nothing when the thread shall end, or when it is time to ask whether an outage is over."""
        with self._changed:
            while not self._waiting and not self._stopped.is_set():
                is_probing = self._is_away and not self._is_refusing
                if not self._changed.wait(_PROBE_SECONDS if is_probing or self._full_at is not None else None):
                    break
            self._note_caught_up()
            return self._take()

    def _probe(self) -> None:
        if not self._is_away or self._is_refusing:
            return
        try:
            self._prepare()
            self._log.answered()
            self._ping_redis()
            self._redis.answered()
        except LogUnavailable as error:
            self._log.failed(error, "answering 503")
        except REDIS_UNAVAILABLE as error:
            self._redis.failed(error, _NO_SALT)
        else:
            self._is_away = False

    def _failure_of(self, batch: Sequence[_Waiting]) -> Unavailable | None:
        began = time.monotonic()
        try:
            self._send(batch)
        except Unavailable as error:
            self._is_away, self._probed_at = True, time.monotonic()
            return error
        self._observe_seconds(time.monotonic() - began)
        self._is_away = False
        return None

    def _note_full(self, waiting_bytes: int) -> None:
        if self._full_at is None:
            self._health.degraded("waiting", "too many clicks wait for the event log; further ones are answered 503")
            logger.warning("too many clicks wait for the event log, answering 503", bytes=waiting_bytes)
        self._full_at = time.monotonic()

    def _note_caught_up(self) -> None:
        if self._full_at is not None and time.monotonic() - self._full_at >= self._full_seconds:
            self._full_at = None
            self._health.working("waiting")
            logger.info("the event log has caught up, accepting all clicks again")

    def _take(self) -> list[_Waiting]:
        count = clicks = 0
        for waiting in self._waiting:
            count += 1
            clicks += len(waiting.outgoing.clicks)
            if clicks >= _MOST_SENT:
                break
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        self._taken_bytes += sum(waiting.size for waiting in batch)
        return batch

    def _send(self, batch: Sequence[_Waiting]) -> None:
        """Raises Unavailable, and Fenced."""
        self._is_refusing = False
        self._name_visitors(batch)
        records = [
            NewRecord(self._topic, click.userId.encode(), click.encoded())
            for waiting in batch
            for click in waiting.outgoing.clicks
        ]
        try:
            if records:
                self._producer.send(records)
            for waiting in batch:
                for letter in waiting.outgoing.dead_letters:
                    send_dead_letter(self._producer.send, letter)
        except LogUnavailable as error:
            self._log.failed(error, "answering 503")
            raise Unavailable(NotAccepted.LOG_UNAVAILABLE) from error
        except Refused as error:
            # The limits of fields keep a click far below what a log takes, so this is its configuration.
            self._is_refusing = True
            self._log.failed(error, "the log refuses clicks, answering 503")
            raise Unavailable(NotAccepted.LOG_UNAVAILABLE) from error
        self._log.answered()

    def _name_visitors(self, batch: Sequence[_Waiting]) -> None:
        nameless: list[Click] = []
        for waiting in batch:
            for click, identity in zip(waiting.outgoing.clicks, waiting.outgoing.identities, strict=True):
                if identity is not None:
                    click.userId = identity
                    nameless.append(click)
        if not nameless:
            return
        try:
            visitors = self._pseudonyms_of(nameless)
        except REDIS_UNAVAILABLE as error:
            self._redis.failed(error, _NO_SALT)
            raise Unavailable(NotAccepted.LOG_UNAVAILABLE) from error
        for click, visitor in zip(nameless, visitors, strict=True):
            click.userId = visitor
        self._redis.answered()

    def _answer(self, batch: Sequence[_Waiting], failure: Unavailable | None) -> None:
        if batch and self._loop is not None:
            self._loop.call_soon_threadsafe(_report, batch, failure)


def _report(batch: Sequence[_Waiting], failure: Unavailable | None) -> None:
    for waiting in batch:
        try:
            waiting.done(failure)
        except Exception:  # the other requests of the call have theirs
            logger.exception("a request failed after its call to the log")


def _settle(answer: "asyncio.Future[None]", failure: Unavailable | None) -> None:
    if answer.done():  # its client has gone
        return
    if failure is None:
        answer.set_result(None)
    else:
        answer.set_exception(failure)
