"""What becomes of the events of one partition, read in the order of the log. Pure."""

from collections import Counter
from collections.abc import Hashable
from hashlib import blake2b
from typing import Final, Literal

from services.aggregate.proof.clicks import Sale
from shared.events.amounts import ORDER_LINE, REFUND_LINE

Outcome = Literal["counted", "late", "duplicates", "dead_letters"]

_AHEAD_MS: Final = 60_000
_HALF_HOUR: Final = 1800
_HALF_HOURS: Final = 17
_REMEMBERED: Final = 3600


class Arrivals:
    """Remembers the ids of an hour of arrival, and how many sales were kept."""

    def __init__(self, most_sales: int | None = None) -> None:
        """Of the sales that the half hours show when one arrives, `most_sales` are kept; None: all."""
        self._most_sales = most_sales
        self._arrival_s = 0
        self._events = _Remembered()
        self._orders = _Remembered()
        self._kept: Counter[int] = Counter()  # sales, by half hour

    def outcome(self, timestamp_ms: int, arrival_ms: int, user: str, event_id: object) -> Outcome:
        """What becomes of the next event. `event_id` is text where it has one."""
        self._arrival_s = max(self._arrival_s, arrival_ms // 1000)  # the log's clock may be set back
        if timestamp_ms > arrival_ms + _AHEAD_MS:
            return "dead_letters"
        if timestamp_ms // 1000 // _HALF_HOUR < arrival_ms // 1000 // _HALF_HOUR - _HALF_HOURS + 1:
            return "late"
        if isinstance(event_id, str) and not self._events.is_new((user, event_id), self._arrival_s):
            return "duplicates"
        return "counted"

    def sale(
        self, timestamp_ms: int, user: str, millionths: int, currency: str, order: str | None, event_type: object
    ) -> Sale | None:
        """The sale of the event that was counted last; None for an order that was sold before."""
        identity = user, order, min(millionths, 0)  # of refunds one for each amount
        if order is not None and not self._orders.is_new(identity, self._arrival_s):
            return None
        shown = self._arrival_s // _HALF_HOUR - _HALF_HOURS
        kept = sum(sales for half_hour, sales in self._kept.items() if half_hour > shown)
        is_other = self._most_sales is not None and kept >= self._most_sales
        if not is_other:
            self._kept[timestamp_ms // 1000 // _HALF_HOUR] += 1
        return Sale(millionths, currency, event_type in (ORDER_LINE, REFUND_LINE), is_other)


class _Remembered:
    """What arrived first within the hour before, as digests: whole ids would take several times the memory."""

    def __init__(self) -> None:
        self._first_s: dict[bytes, int] = {}  # in order of arrival

    def is_new(self, identity: Hashable, arrival_s: int) -> bool:
        """Whether it did not arrive within the hour; remembers it then."""
        while self._first_s and arrival_s - next(iter(self._first_s.values())) >= _REMEMBERED:
            del self._first_s[next(iter(self._first_s))]
        digest = blake2b(repr(identity).encode("utf-8", "surrogatepass"), digest_size=16).digest()
        if digest in self._first_s:
            return False
        self._first_s[digest] = arrival_s
        return True
