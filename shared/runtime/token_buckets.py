"""How much each sender may send: token buckets, in bounded memory. Pure; time is an argument."""

from collections import OrderedDict
from typing import Final

_MOST_KEYS: Final = 65_536
"""Beyond it the bucket that was used longest ago is forgotten: it is full again, or nearly."""


class TokenBuckets:
    """One bucket per key. It holds up to `burst` tokens and gains `per_second`; an event takes one."""

    def __init__(self, per_second: float, burst: float) -> None:
        self._per_second, self._burst = per_second, burst
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens, and when

    def __len__(self) -> int:
        """How many buckets are kept."""
        return len(self._buckets)

    def take(self, key: str, tokens: int, now: float, per_second: float | None = None) -> float:
        """Take tokens at an instant in seconds. Returns 0, or after how many seconds they would be there.

        A request larger than a burst is let through by a full bucket, which then is in debt.
        """
        rate = self._per_second if per_second is None else per_second
        burst = self._burst if per_second is None else max(self._burst, 2 * per_second)
        had, at = self._buckets.pop(key, (burst, now))
        has = had + (now - at) * rate if now > at else had  # min and max would take half of the time
        if has > burst:
            has = burst
        needed = tokens if tokens < burst else burst
        wait = 0.0 if has >= needed else (needed - has) / rate
        self._buckets[key] = (has - tokens if not wait else has, now)
        if len(self._buckets) > _MOST_KEYS:
            self._buckets.popitem(last=False)
        return wait
