"""Special offers for the visitors whose page is open: from their topic to the browser, as server-sent events."""

import asyncio
import secrets
from collections import defaultdict
from contextlib import suppress
from threading import Event, Lock, Thread
from typing import Any, Final

import msgspec

from services.collect.clicks import Click
from services.collect.request import Request
from services.collect.visitor import identity_of
from shared.privacy.pseudonyms import Pseudonyms
from shared.runtime.dependency import Dependency, Stopped
from shared.runtime.logs import get_logger
from shared.runtime.redis_client import REDIS_UNAVAILABLE
from shared.streams.event_log import Assignment, EventLog, FromOffset, LogUnavailable, Position

logger = get_logger(__name__)

OFFERS_PATH: Final = "/offers"

_MOST_OPEN: Final = 1_000
_LONGEST_SECONDS: Final = 600.0  # then the browser connects again, under the salt of that day
_BEAT_SECONDS: Final = 15.0  # between comments, which tell proxies that the connection lives
_POLL_SECONDS: Final = 0.2
_HEAD: Final = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]


class _Offer(msgspec.Struct):
    userId: str
    offer: str


class _FromNow:
    """Reads what comes after the start."""

    def on_assigned(self, assignment: Assignment) -> Position:
        """As `Listener.on_assigned`."""
        return FromOffset(assignment.end_offset)

    def on_revoked(self, partition: int) -> None:
        """As `Listener.on_revoked`."""


class Offers:
    """One thread reads the topic; `stream` lives in the event loop."""

    def __init__(
        self, log: EventLog, topic: str, pseudonyms: Pseudonyms, site: str, dependency: Dependency, stop: Event
    ) -> None:
        """`pseudonyms` is for this object alone. Each process needs all offers, so it is a group of its own."""
        self._log, self._topic, self._site = log, topic, site
        self._pseudonyms, self._pseudonyms_lock = pseudonyms, Lock()
        self._dependency, self._stop = dependency, stop
        self._open: dict[str, set[asyncio.Queue[str]]] = defaultdict(set)  # by visitor; the event loop's
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = Thread(target=self._run, name="offers", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def join(self) -> None:
        """Wait until the thread has noticed that the process stops."""
        self._thread.join()

    async def stream(self, request: Request, receive: Any, send: Any) -> None:
        """Answer a browser with the offers of its visitor, until it leaves."""
        self._loop = asyncio.get_running_loop()
        if sum(map(len, self._open.values())) >= _MOST_OPEN:
            await _refuse(send)
            return
        identity = identity_of(request.address, request.user_agent, self._site)
        click = Click(timestamp=request.arrived_ms, userId=identity)
        try:
            visitor = await asyncio.to_thread(self._visitor_of, click)
        except REDIS_UNAVAILABLE:
            await _refuse(send)
            return
        queue: asyncio.Queue[str] = asyncio.Queue(10)
        self._open[visitor].add(queue)
        left = asyncio.ensure_future(_left(receive))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": _HEAD})
            await send({"type": "http.response.body", "body": b": open\n\n", "more_body": True})
            until = self._loop.time() + _LONGEST_SECONDS
            while not left.done() and self._loop.time() < until and not self._stop.is_set():
                await send({"type": "http.response.body", "body": await _next(queue, left), "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            left.cancel()
            self._open[visitor].discard(queue)
            if not self._open[visitor]:
                del self._open[visitor]

    def _visitor_of(self, click: Click) -> str:
        with self._pseudonyms_lock:
            return self._pseudonyms.of([click])[0]

    def _run(self) -> None:
        group = f"offers-{secrets.token_hex(8)}"
        with suppress(Stopped), self._log.consumer(self._topic, group, _FromNow()) as consumer:
            while not self._stop.is_set():
                records = self._dependency.wait_for(
                    lambda: consumer.poll(100, _POLL_SECONDS), LogUnavailable, self._stop
                )
                for record in records:
                    self._hand_over(record.value)

    def _hand_over(self, value: bytes) -> None:
        try:
            offer = msgspec.json.decode(value, type=_Offer)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return  # not ours
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._deliver, offer)

    def _deliver(self, offer: _Offer) -> None:
        for queue in self._open.get(offer.userId, ()):
            with suppress(asyncio.QueueFull):
                queue.put_nowait(msgspec.json.encode({"offer": offer.offer}).decode())


async def _next(queue: "asyncio.Queue[str]", left: "asyncio.Future[None]") -> bytes:
    """The next offer as an event; a comment when there is none for a while, or the browser left."""
    getting = asyncio.ensure_future(queue.get())
    done, _ = await asyncio.wait((getting, left), timeout=_BEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    if getting in done:
        return f"data: {getting.result()}\n\n".encode()
    getting.cancel()
    return b": beat\n\n"


async def _refuse(send: Any) -> None:
    await send({"type": "http.response.start", "status": 503, "headers": [(b"retry-after", b"5")]})
    await send({"type": "http.response.body", "body": b""})


async def _left(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
