"""The visitors' machines and the state log in Redis: one JSON document per `detect:<userId>`, and `state_logs`."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
import redis
from redis.client import Pipeline

from services.detect.detection import Detection, Entry, Machine, log_message
from shared.events.time_units import HOUR_MS
from shared.events.timestamps import LATEST_MS
from shared.privacy.keys import MACHINE_KEY
from shared.rollups.contract import STATE_LOG_KEY, STATE_LOG_LENGTH
from shared.rollups.model import KEY_TTL_SECONDS
from shared.runtime.redis_replies import ReplyTooLarge, is_exhausted, is_wrong_type
from shared.status.unreadable import UNREADABLE

_LONGEST_MACHINE_BYTES: Final = 65_536  # a journey takes a few hundred, and each offer that is due ten
_GREATEST: Final = 2**63 - 1
_decode_machine = msgspec.json.Decoder(Machine).decode
_encode_machine = msgspec.json.Encoder().encode


class MachineStore:
    """Reads and writes the machines of a batch's visitors. Raises redis-py's exceptions when Redis is unreachable."""

    def __init__(self, client: redis.Redis, prefix: str, window_ms: int) -> None:
        self._client = client
        self._prefix = prefix
        self._window_ms = window_ms
        # A machine lives one window in event time. Twice that also covers a service stop of up to one window.
        self._ttl_ms = 2 * window_ms

    def update(
        self, users: Sequence[str], detect: Callable[[Mapping[str, Machine]], Detection], now_ms: int
    ) -> Detection:
        """Load the machines, run `detect`, then store the changes and log the recent transitions in one MULTI.

        WATCH guards the keys: if another replica writes one meanwhile, the update starts over from the new value. So
        a replica that lost a partition without noticing never reverts a machine.
        """
        keys = [f"{self._prefix}{MACHINE_KEY}{user}" for user in users]
        read = _read_at_once
        with self._client.pipeline(transaction=True) as pipeline:
            while True:
                try:
                    pipeline.watch(*keys)
                    detection = detect(_machines(zip(users, read(pipeline, keys), strict=True), now_ms))
                    pipeline.multi()
                    for key, machine in zip(keys, map(detection.changed.get, users), strict=True):
                        if machine is not None:
                            pipeline.set(key, _encode_machine(machine), px=self._ttl_ms)
                    self._log(pipeline, detection.entries, now_ms)
                    pipeline.execute()
                except redis.exceptions.WatchError:
                    continue
                except ReplyTooLarge:  # of foreign values under our keys
                    pipeline.reset()
                    read = _read_one_by_one
                    continue
                except redis.ResponseError as error:
                    if not (is_wrong_type(error) or is_exhausted(error)):
                        raise
                    # The machines are written and know what they have seen; the log misses these transitions.
                    UNREADABLE.drop(STATE_LOG_KEY, "a key that takes no entries", "writing it anew")
                    self._client.delete(self._prefix + STATE_LOG_KEY)
                    continue
                return detection

    def _log(self, pipeline: Pipeline, entries: Sequence[Entry], now_ms: int) -> None:
        # The log is a live display, so catching up on history does not write to it.
        recent = [entry for entry in entries if entry.event.timestamp > now_ms - self._window_ms]
        for entry in recent[-STATE_LOG_LENGTH:]:
            pipeline.xadd(
                self._prefix + STATE_LOG_KEY,
                {
                    "created": entry.event.timestamp / 1000,
                    "msg": log_message(entry),
                    "userId": entry.event.userId,
                },
                maxlen=STATE_LOG_LENGTH,
                approximate=False,  # an approximate trim leaves about a hundred
            )
        if recent:
            pipeline.expire(self._prefix + STATE_LOG_KEY, KEY_TTL_SECONDS)


def _read_at_once(pipeline: Pipeline, keys: Sequence[str]) -> Sequence[bytes | None]:
    values: Any = pipeline.mget(keys)
    return [*values]


def _read_one_by_one(pipeline: Pipeline, keys: Sequence[str]) -> Sequence[bytes | None]:
    return [_start_of(pipeline, key) for key in keys]


def _start_of(pipeline: Pipeline, key: str) -> bytes | None:
    """At most a byte more than a machine has."""
    try:
        start: Any = pipeline.getrange(key, 0, _LONGEST_MACHINE_BYTES)
    except redis.ResponseError as error:
        if not is_wrong_type(error):
            raise
        return None
    return start or None


def _machines(stored: Iterable[tuple[str, bytes | None]], now_ms: int) -> dict[str, Machine]:
    """The machines that can be read. Without one the visitor starts in init, and the key is overwritten."""
    machines = {}
    for user, value in stored:
        if value is None:
            continue
        try:
            machines[user] = _machine_of(value, now_ms)
        except (msgspec.DecodeError, RecursionError, ValueError) as error:
            UNREADABLE.drop(MACHINE_KEY, type(error).__name__, "the visitor starts anew")
    return machines


def _machine_of(value: bytes, now_ms: int) -> Machine:
    """Raises msgspec.DecodeError or ValueError for what detect does not write, such as a machine of another version."""
    if len(value) > _LONGEST_MACHINE_BYTES:
        raise ValueError("longer than a machine")
    machine = _decode_machine(value)
    # A machine of the future would take every click of its visitor for a redelivery.
    if machine.appended_ms > now_ms + HOUR_MS or not -1 <= machine.offset <= _GREATEST:
        raise ValueError("a position that is out of range")
    if not 0 <= machine.journey.started_ms <= LATEST_MS:
        raise ValueError("a time that is out of range")
    return machine
