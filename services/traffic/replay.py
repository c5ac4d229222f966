"""`clickpulse replay`: sends a recording's lines as events, and accounts for every line."""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from pathlib import Path
from threading import Event
from typing import IO, Final

from services.traffic.ages import advice, uncounted
from services.traffic.clock import now_ms, wait_until
from services.traffic.formats.entries import TOO_LONG, Entry, Skip
from services.traffic.formats.lines import ByteStream, DamagedRecording
from services.traffic.formats.reading import Survey, read_entries, survey
from services.traffic.opening import STANDARD_INPUT, OpenRecording, PipeWait, is_repeatable, open_recording
from services.traffic.pacing import Pace, Span, shift_to_now_ms
from services.traffic.progress import Show, progress
from services.traffic.replay_options import ReplayOptions
from services.traffic.sending import Outbox
from services.traffic.stamping import Pass, stamp
from services.traffic.tally import Tally
from shared.events.addresses import plain_address
from shared.events.raw import decode_raw
from shared.events.refusals import Refusal
from shared.events.schema import MAX_EVENT_BYTES, RawEvent
from shared.events.time_units import MINUTE_MS
from shared.events.timestamps import iso_second
from shared.runtime.dependency import Stopped
from shared.runtime.logs import get_logger

logger = get_logger(__name__)

_SHOW_EVERY_LINES: Final = 256
_LONG_WAIT_MS: Final = MINUTE_MS
_SIGNAL_SECONDS: Final = 0.2


class Replay:
    """One replay. Call `run` once, then read `tally`, `damage` and the outbox."""

    def __init__(self, options: ReplayOptions, outbox: Outbox, stop: Event) -> None:
        self._options = options
        self._outbox = outbox
        self._stop = stop
        self._name = "stdin" if options.file == STANDARD_INPUT else Path(options.file).name
        self._surveyed: Survey | None = None
        self._refused_lines: IO[bytes] | None = None
        self.tally = Tally(advice=advice(is_shifted=options.shift_to_now, is_repeatable=is_repeatable(options.file)))
        self.damage: str | None = None  # why reading stopped before the end

    def run(self) -> None:
        """Replay until the end, the limit or `stop`. Raises UnusableRecording before sending anything."""
        try:
            with ExitStack() as stack:
                if self._options.refused is not None:
                    self._refused_lines = stack.enter_context(self._options.refused.open("wb"))
                self._replay()
                self._outbox.flush()
        except Stopped:
            logger.info("stopped", unsent=self._outbox.unsent)

    def _replay(self) -> None:
        self._surveyed = self._survey() if is_repeatable(self._options.file) else None
        span = self._measure() if self._options.shift_to_now else None
        for number in range(1, 2**63):
            before = self._outbox.taken
            self._play(number, span)
            if not self._options.loop or self.damage or self._is_over():
                return
            if self._outbox.taken == before:
                logger.warning("no event in the recording, not looping", file=self._options.file)
                return

    def _is_over(self) -> bool:
        return self._stop.is_set() or self._outbox.taken == self._options.limit

    def _survey(self) -> Survey | None:
        with open_recording(self._options.file, PipeWait(self._stop)) as recording:
            try:
                return survey(_Interruptible(recording.stream, self._stop), self._name, self._options.choices)
            except DamagedRecording:
                return None  # what is good of it is read like a pipe

    def _measure(self) -> Span | None:
        """The time span of the events that one pass sends; None without events."""
        first_ms, last_ms, events = None, 0, 0
        with self._entries("measuring", Counter()) as (entries, show):
            for entry in entries:
                if self._stop.is_set():
                    raise Stopped
                event = decode_raw(entry.document) if isinstance(entry.document, bytes) else None
                if entry.line % _SHOW_EVERY_LINES == 0:
                    show(0)
                if not isinstance(event, RawEvent):
                    continue
                first_ms = event.timestamp if first_ms is None else first_ms
                last_ms = max(last_ms, event.timestamp)
                events += 1
                if events == self._options.limit:
                    break
        return None if first_ms is None else Span(first_ms, last_ms)

    def _play(self, number: int, span: Span | None) -> None:
        speed, limit = self._options.speed, self._options.limit
        with self._entries("replaying", self.tally.notes) as (entries, show):
            self._outbox.connect()
            shift_ms = None if span is None else shift_to_now_ms(span, now_ms(), speed)
            current = Pass(self._name, number, shift_ms)
            pace: Pace | None = None
            for entry in entries:
                if self._stop.is_set():
                    return
                if entry.line % _SHOW_EVERY_LINES == 0:
                    show(self._outbox.sent)
                document = entry.document
                if document is None:
                    self.tally.blank += 1
                    continue
                if isinstance(document, Skip):
                    self.tally.skip(entry.line, document)
                    continue
                event = decode_raw(document) if isinstance(document, bytes) else document
                if isinstance(event, Refusal):
                    self._refuse(entry, event, number)
                else:
                    assert isinstance(document, bytes)
                    if not math.isinf(speed):
                        pace = pace or Pace(event.timestamp, now_ms(), speed)
                        self._wait(pace.due_ms(event.timestamp), show)
                    self._put(entry, document, event, current)
                if self._outbox.taken == limit:
                    break
            show(self._outbox.taken)

    def _put(self, entry: Entry, document: bytes, event: RawEvent, current: Pass) -> None:
        value = stamp(entry, document, event, current)
        if len(value) > MAX_EVENT_BYTES:  # the eventId may push it over the limit
            self._refuse(entry, TOO_LONG, current.number)
            return
        self._outbox.put(event.userId, value)
        self.tally.read += 1
        self.tally.without_address += not _is_address(event.ip)
        self._count_time(entry, event.timestamp + (current.shift_ms or 0))

    def _count_time(self, entry: Entry, timestamp_ms: int) -> None:
        why = uncounted(timestamp_ms, now_ms())
        if why is None:
            return
        if why not in self.tally.uncounted:  # now, because the summary of a long replay comes too late
            logger.warning(
                "no figure will show events of this time",
                line=entry.line,
                event_time=iso_second(timestamp_ms),
                reason=self.tally.advice[why],
            )
        self.tally.uncounted[why] += 1

    def _refuse(self, entry: Entry, refusal: Refusal, number: int) -> None:
        self.tally.refuse(entry.line, refusal)
        if self._refused_lines is not None and number == 1:
            self._refused_lines.write(entry.raw + b"\n")

    def _wait(self, due_ms: float, show: Callable[[int], None]) -> None:
        ahead_ms = due_ms - now_ms()
        if ahead_ms <= 0:
            return
        self._outbox.flush()
        show(self._outbox.sent)
        if ahead_ms > _LONG_WAIT_MS:
            logger.info("the next event is due later", seconds=round(ahead_ms / 1000))
        wait_until(due_ms, self._stop)

    @contextmanager
    def _entries(self, doing: str, notes: Counter[str]) -> Iterator[tuple[Iterator[Entry], Callable[[int], None]]]:
        """The entries of one pass, and a callback for progress that takes the events sent. Damage ends the block."""
        wait = PipeWait(self._stop, on_idle=self._outbox.flush)
        with open_recording(self._options.file, wait) as recording:
            try:
                chosen, entries = read_entries(
                    recording.stream, self._name, self._options.choices, notes, self._surveyed
                )
            except DamagedRecording as error:
                self.damage = str(error)
                yield iter(()), lambda _: None
                return
            logger.info(doing, file=self._options.file, format=chosen.value)
            try:
                with progress(doing, recording.size) as show:
                    yield entries, self._at_position(show, recording)
            except DamagedRecording as error:
                self.damage = str(error)

    def _at_position(self, show: Show, recording: OpenRecording) -> Callable[[int], None]:
        return lambda sent: show(recording.position(), sent, self.tally.skipped_total, self.tally.refused_total)


class _Interruptible:
    """A stream whose reading raises Stopped after `stop`."""

    def __init__(self, stream: ByteStream, stop: Event) -> None:
        self._stream = stream
        self._stop = stop

    def readline(self, size: int, /) -> bytes:
        if self._stop.is_set():
            raise Stopped
        return self._stream.readline(size)


@lru_cache(maxsize=16_384)
def _is_address(ip: str | None) -> bool:
    return plain_address(ip) is not None


def _is_stopped(options: ReplayOptions, stop: Event) -> bool:
    """Whether Ctrl-C ended it. The program that writes the pipe gets the same Ctrl-C, and may end the pipe first."""
    return stop.is_set() if is_repeatable(options.file) else stop.wait(_SIGNAL_SECONDS)


def replay(options: ReplayOptions, outbox: Outbox, stop: Event) -> tuple[int, str]:
    """Replay; return the exit code and the summary. Raises UnusableRecording before sending anything."""
    started = time.monotonic()
    running = Replay(options, outbox, stop)
    running.run()
    summary = running.tally.summary(outbox.sent, outbox.unsent, time.monotonic() - started)
    if running.damage is not None:
        logger.error("recording ended early", file=options.file, error=running.damage)
        return 1, summary
    if outbox.sent == 0 and not (running.tally.read == 0 and _is_stopped(options, stop)):
        logger.error("nothing was sent", file=options.file)
        return 1, summary
    return 0, summary
