"""The visitors' machines and the state log in Redis: one JSON document per `detect:<userId>`, and `state_logs`."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec
import redis
from redis.client import Pipeline

from services.detect.detection import Detection, Entry, Machine, log_message
from shared.privacy.keys import MACHINE_KEY
from shared.rollups.contract import STATE_LOG_KEY, STATE_LOG_LENGTH
from shared.rollups.model import KEY_TTL_SECONDS
from shared.runtime.logs import get_logger

logger = get_logger(__name__)

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
        with self._client.pipeline(transaction=True) as pipeline:
            while True:
                try:
                    pipeline.watch(*keys)
                    detection = detect(_machines(zip(users, pipeline.mget(keys), strict=True)))
                    pipeline.multi()
                    for key, machine in zip(keys, map(detection.changed.get, users), strict=True):
                        if machine is not None:
                            pipeline.set(key, _encode_machine(machine), px=self._ttl_ms)
                    self._log(pipeline, detection.entries, now_ms)
                    pipeline.execute()
                except redis.exceptions.WatchError:
                    continue
                return detection

    def _log(self, pipeline: Pipeline, entries: Sequence[Entry], now_ms: int) -> None:
        # The log is a live display, so catching up on history does not write to it.
        recent = [entry for entry in entries if entry.event.timestamp > now_ms - self._window_ms]
        for entry in recent[-STATE_LOG_LENGTH:]:
            pipeline.xadd(
                self._prefix + STATE_LOG_KEY,
                {"created": entry.event.timestamp / 1000, "msg": log_message(entry)},
                maxlen=STATE_LOG_LENGTH,
                approximate=False,  # an approximate trim leaves about a hundred
            )
        if recent:
            pipeline.expire(self._prefix + STATE_LOG_KEY, KEY_TTL_SECONDS)


def _machines(stored: Iterable[tuple[str, bytes | str | None]]) -> dict[str, Machine]:
    machines = {}
    for user, value in stored:
        if value is None:
            continue
        try:
            machines[user] = _decode_machine(value)
        except msgspec.DecodeError as error:
            # Foreign, or from another version: the visitor starts in init and the key is overwritten.
            logger.warning("unreadable machine", error=type(error).__name__)
    return machines
