"""The producer: sends the known stream while everything else is killed, and records what the log took."""

import time
from collections.abc import Sequence
from threading import Event, Lock, Thread
from typing import Final, Self

from shared.runtime.settings import ServiceSettings
from shared.streams.choose import open_log
from shared.streams.event_log import LogUnavailable, NewRecord, Producer
from tests.faults.clicks import Click, Clicks

_BATCHES_PER_SECOND: Final = 10
_BAD_EVERY: Final = 50  # batches: one adds an unreadable record to the enriched topic


class Stream:
    """Sends clicks from its own thread straight to the log. Retries what fails, so the log may take it twice."""

    def __init__(self, settings: ServiceSettings, seed: int, clicks_per_second: int) -> None:
        self._settings = settings
        self._clicks = Clicks(seed)
        self._batch = max(1, clicks_per_second // _BATCHES_PER_SECOND)
        self._stop = Event()
        self._give_up = Event()
        self._lock = Lock()
        self._sent: dict[int, Click] = {}
        self._bad_enriched: list[bytes] = []
        self._countable = 0
        self._failure: BaseException | None = None
        self._thread = Thread(target=self._run, name="stream")

    @property
    def countable(self) -> int:
        """Records that the log took and aggregate must read: good clicks, and bad records in the enriched topic."""
        with self._lock:
            return self._countable

    @property
    def sent(self) -> dict[int, Click]:
        """Every click that the log took, by number. Read it after the stream ended."""
        return self._sent

    @property
    def bad_enriched(self) -> list[bytes]:
        """The unreadable records of the enriched topic. Read it after the stream ended."""
        return self._bad_enriched

    def end(self) -> None:
        """Finish the current batch, however long the log takes. Raises the failure of the thread."""
        self._stop.set()
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._give_up.set()  # drops the current batch
        self._thread.join()

    def _run(self) -> None:
        try:
            self._send_until_stopped()
        except BaseException as failure:  # noqa: BLE001 - raised by `end`
            self._failure = failure

    def _send_until_stopped(self) -> None:
        due = time.monotonic()
        batches = 0
        with open_log(self._settings, "stream").producer() as producer:
            while not self._stop.is_set():
                clicks = [self._clicks.make(time.time_ns() // 1_000_000) for _ in range(self._batch)]
                records = [NewRecord(self._settings.raw_topic, click.key, click.value) for click in clicks]
                bad = [b"no event #%d#" % batches] if batches % _BAD_EVERY == _BAD_EVERY - 1 else []
                records += [NewRecord(self._settings.enriched_topic, b"user 1", value) for value in bad]
                if not self._is_taken(producer, records):
                    return
                batches += 1
                with self._lock:
                    self._sent.update((click.number, click) for click in clicks)
                    self._bad_enriched += bad
                    self._countable += sum(click.facts is not None for click in clicks) + len(bad)
                due = max(due + 1 / _BATCHES_PER_SECOND, time.monotonic() - 1)
                self._stop.wait(max(0.0, due - time.monotonic()))

    def _is_taken(self, producer: Producer, records: Sequence[NewRecord]) -> bool:
        """Send until the log took all of them; False when the stream gives up."""
        while not self._give_up.is_set():
            try:
                producer.send(records)
            except LogUnavailable:
                self._give_up.wait(0.1)
            else:
                return True
        return False
