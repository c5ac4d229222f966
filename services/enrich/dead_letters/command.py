"""`clickpulse dead-letters`: lists, counts and shows refused events, and sends again those accepted now."""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from functools import partial
from itertools import islice
from threading import Event
from typing import Final

import redis
from redis.exceptions import LockError
from redis.lock import Lock

from services.enrich.dead_letters.options import Options, parse
from services.enrich.dead_letters.replay import CHUNK, Plan, Replay, Replayed, refusal_of_enriched, refusal_of_raw
from services.enrich.dead_letters.text import described, one_line
from services.enrich.dead_letters.topic import DeadLetter, read_dead_letters
from shared.events.refusals import Reason, dead_letter_topic
from shared.events.timestamps import iso_second
from shared.runtime.dependency import Dependency, Stopped
from shared.runtime.logs import configure_logs, get_logger
from shared.runtime.redis_client import connect, redis_address
from shared.runtime.redis_errors import REDIS_PASSING
from shared.runtime.settings import ConfigurationError, ServiceSettings, read_settings
from shared.runtime.signals import stop_on_signals
from shared.runtime.tracebacks import error_text
from shared.streams.choose import open_log, topic_spec
from shared.streams.event_log import EventLog, LogUnavailable

SERVICE: Final = "dead-letters"

_LOCK_SECONDS: Final = 60
_PROGRESS_SECONDS: Final = 5.0
_BUSY_EXIT_CODE: Final = 3

logger = get_logger(__name__)


def main(argv: Sequence[str]) -> int:
    """Run one job. Returns the exit code: 0 done, 1 failed or stopped, 3 another replay is running.

    Raises ConfigurationError.
    """
    now_ms = time.time_ns() // 1_000_000
    options = parse(argv, now_ms)
    settings = read_settings(ServiceSettings)
    if options.topic not in {None, settings.raw_topic, settings.enriched_topic}:
        raise ConfigurationError(
            f"--topic: expected {settings.raw_topic} or {settings.enriched_topic}, got {options.topic!r}"
        )
    configure_logs(SERVICE, settings.log_format, settings.log_level)
    stop = Event()
    with stop_on_signals(stop), closing(open_log(settings, SERVICE)) as log:
        try:
            return _JOBS[options.job](_Run(settings, log, stop, options))
        except ConfigurationError:
            raise  # about the server
        except (LogUnavailable, redis.RedisError) as error:
            logger.error("giving up", log=log.address, reason=error_text(error))  # noqa: TRY400 - no trace wanted
        except Stopped:
            logger.warning("stopped before the end")
    return 1


class _Run:
    """One run: its topic and options."""

    def __init__(self, settings: ServiceSettings, log: EventLog, stop: Event, options: Options) -> None:
        self.settings = settings
        self.log = log
        self.stop = stop
        self.options = options
        self.source: str = options.topic or settings.raw_topic
        self.topic = dead_letter_topic(self.source)

    @property
    def retention_ms(self) -> int:
        return self.settings.retention_ms_of(self.topic)

    def letters(self) -> Iterator[list[DeadLetter]]:
        """Batches of the dead letters that the options select."""
        spec = topic_spec(self.settings, self.topic)
        dependency = Dependency(f"the event log at {self.log.address}")
        # Enrich creates the topic in its first run, which may be still to come.
        dependency.wait_for(lambda: self.log.ensure_topics([spec]), LogUnavailable, self.stop)
        reasons = self.options.reasons
        for batch in read_dead_letters(self.log, self.topic, self.options.since_ms, self.stop):
            if letters := [letter for letter in batch if not reasons or letter.reason in reasons]:
                yield letters


def _list(run: _Run) -> int:
    newest: list[DeadLetter] = []
    total = 0
    for letters in run.letters():
        total += len(letters)
        newest = sorted([*newest, *letters], key=_order)[-run.options.limit :]
    for letter in newest:
        _say(one_line(letter))
    if total > len(newest):
        _say(f"… and {total - len(newest):,} older ones; --limit shows more")
    if not total:
        _say(f"{run.topic}: no dead letters")
    return 0


def _count(run: _Run) -> int:
    reasons: Counter[str] = Counter()
    times_ms: list[int] = []  # of the oldest and the newest
    for letters in run.letters():
        reasons.update(letter.reason for letter in letters)
        times_ms += [letter.record.timestamp_ms for letter in letters]
        times_ms = [min(times_ms), max(times_ms)]
    for reason, count in sorted(reasons.items(), key=lambda item: (-item[1], item[0])):
        _say(f"{count:>12,}  {reason}")
    _say(f"{reasons.total():>12,}  in {run.topic}")
    if times_ms:
        _say("refused from {} to {}".format(*map(iso_second, times_ms)))
    return 0


def _show(run: _Run) -> int:
    for letters in run.letters():
        for letter in letters:
            if letter.place == run.options.place:
                if run.options.is_raw:
                    sys.stdout.buffer.write(letter.record.value)
                    sys.stdout.flush()
                else:
                    _say(described(letter))
                return 0
    _complain(f"{run.topic} has no dead letter {run.options.place}; `clickpulse dead-letters list` lists them")
    return 1


def _replay(run: _Run) -> int:
    checks = refusal_of_enriched if run.source == run.settings.enriched_topic else refusal_of_raw
    check = checks(run.settings.limits)
    sent = sent_before = 0
    refused: Counter[str] = Counter()
    is_dry = run.options.is_dry
    with connect(run.settings.redis_url) as client, run.log.producer() as producer:
        replayed = Replayed(client, run.settings.redis_prefix, run.topic, run.retention_ms)
        replay = Replay(producer, replayed, run.source, run.topic, check)
        dependency = Dependency(
            f"the event log at {run.log.address} or Redis at {redis_address(run.settings.redis_url)}"
        )
        waiting = partial(dependency.wait_for, passing=(LogUnavailable, *REDIS_PASSING), stop=run.stop)
        # Two concurrent replays would send the same dead letters twice.
        lock = client.lock(f"{run.settings.redis_prefix}enrich:replay-lock:{run.topic}", timeout=_LOCK_SECONDS)
        if not waiting(lambda: lock.acquire(blocking=False)):
            _complain(f"another replay of {run.topic} is running, or was killed within the last {_LOCK_SECONDS} s")
            return _BUSY_EXIT_CODE
        next_progress = time.monotonic() + _PROGRESS_SECONDS
        try:
            for chunk in _chunks(run.letters()):
                now_ms = time.time_ns() // 1_000_000
                plan: Plan = waiting(partial(replay.plan, chunk, now_ms))
                taken = plan.accepted
                if not is_dry:
                    taken = waiting(partial(replay.send, plan.accepted))
                    waiting(partial(replay.mark, taken, now_ms))
                waiting(partial(_keep, lock))
                sent += len(taken)
                sent_before += plan.sent_before
                refused += plan.refused
                refused[Reason.REFUSED_BY_LOG] += len(plan.accepted) - len(taken)
                if time.monotonic() >= next_progress:
                    next_progress = time.monotonic() + _PROGRESS_SECONDS
                    logger.info("replaying", sent=sent, sent_before=sent_before, refused=refused.total())
        except LockError:
            _complain(f"another replay of {run.topic} took over, because this one paused for {_LOCK_SECONDS} s")
            return _BUSY_EXIT_CODE
        finally:
            with suppress(LockError, *REDIS_PASSING):  # it expires by itself
                lock.release()
    verb = "would be sent" if is_dry else "sent"
    _say(f"{run.source}: {sent:,} {verb}, {sent_before:,} sent before, {refused.total():,} still refused")
    for reason, count in sorted((+refused).items()):
        _say(f"  refused {count:,}: {reason}")
    return 0


def _keep(lock: Lock) -> None:
    """Hold the lock for another while, also if it expired in an outage. Raises LockError if another replay took it."""
    try:
        lock.reacquire()
    except LockError:
        if not lock.acquire(blocking=False):
            raise


def _chunks(batches: Iterator[list[DeadLetter]]) -> Iterator[list[DeadLetter]]:
    for batch in batches:
        letters = iter(batch)
        while chunk := list(islice(letters, CHUNK)):
            yield chunk


def _order(letter: DeadLetter) -> tuple[int, int, int]:
    return letter.record.timestamp_ms, letter.record.partition, letter.record.offset


_JOBS: Final[dict[str, Callable[[_Run], int]]] = {"list": _list, "count": _count, "show": _show, "replay": _replay}


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def _complain(text: str) -> None:
    sys.stderr.write(f"clickpulse {SERVICE}: {text}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
