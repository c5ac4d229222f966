"""Enriched events as rows of the table `events`, with texts in place of their ids. Pure.

No row holds what PostgreSQL cannot store: NUL characters are replaced, and what is no amount is null.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from hashlib import blake2b
from typing import Final, NamedTuple
from uuid import UUID

from msgspec import UNSET, UnsetType

from services.history.sales import Sale, order_digest, sale_of, tie_of
from shared.events.amounts import MILLION, currency_of, millionths_of
from shared.events.counted import CountedDecoder
from shared.events.limits import shortened
from shared.events.refusals import Refusal
from shared.events.schema import DEFAULT_EVENT_TYPE, EnrichedEvent
from shared.events.time_units import DAY_MS
from shared.events.timestamps import FUTURE_TOLERANCE_MS
from shared.links.links import Link, campaign_by, channel_by, link_of, source_by
from shared.links.pages import PAGE_BYTES, page_of
from shared.streams.event_log import Record

NO_SITE: Final = ""
"""The name of the site of events without one, and the only name of the dimension `all`."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_URLS_CACHED: Final = 4096  # of up to 8 KB
_LINKS_CACHED: Final = 16_384
_NUL: Final = "\0"
_ESCAPED_NUL: Final = b"\\u0000"  # as it is in JSON, and in no other way
_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
_SURELY_REMEMBERED: Final = timedelta(minutes=50)
_SURELY_IN_TIME: Final = timedelta(hours=8)
_decode_counted: Final = CountedDecoder(()).decode


class Row(NamedTuple):
    """A row of `events`, in the order of its columns. Fields that end in `_id` of the table are texts here."""

    ts: datetime
    visitor: str
    site: str
    event_type: str
    country: str
    device: str
    browser: str
    operating_system: str
    gender: str
    source: str
    channel: str
    product: str | None
    category: str | None
    title: str | None
    url: str | None
    referrer: str | None
    campaign: str | None
    page: str | None
    user_agent: str | None
    profile_gender: str | None
    currency: str | None
    platform: str | None
    quantity: int | None
    age: int | None
    profile_age: int | None
    original_ts: datetime | None
    event_digest: int | None
    event_id: str | None
    order_id: str | None
    ip: str | None
    birthdate: str | None
    value: Decimal | None
    cost: Decimal | None
    sale: Sale | None

    @property
    def names(self) -> tuple[str | None, ...]:
        """The fields from FIRST_NAME to AFTER_NAMES."""
        return self[2:22]

    @property
    def order(self) -> tuple[int, int] | tuple[None, None]:
        """The digest of a sale's order, and its tie; nothing if every such sale counts."""
        if self.sale is None or self.value is None or not self.order_id:
            return None, None
        return order_digest(self.order_id, self.value), tie_of(self, self.sale)


FIRST_NAME: Final = Row._fields.index("site")
AFTER_NAMES: Final = Row._fields.index("quantity")
"""The fields in between are names."""
assert (FIRST_NAME, AFTER_NAMES) == (2, 22), "as in Row.names, where the type checker needs numbers"


@dataclass(slots=True)
class Outcomes:
    """What became of the events of one partition."""

    kept: int = 0
    duplicates: int = 0
    expired: int = 0
    erased: int = 0
    refused: int = 0


@dataclass(slots=True)
class Batch:
    """The rows of some records, and how far these reach."""

    next_offsets: dict[int, int] = field(default_factory=dict)
    arrivals: dict[int, datetime] = field(default_factory=dict)  # of the last record of each partition
    rows: list[tuple[int, Row]] = field(default_factory=list)  # with the partition of the log
    outcomes: dict[int, Outcomes] = field(default_factory=dict)
    differs_to: dict[int, datetime] = field(default_factory=dict)  # of partitions where it may, see `note_difference`

    def note_difference(self, partition: int, at: datetime) -> None:
        """Note that aggregate may count an event of this time otherwise: SQL has another one, or none."""
        self.differs_to[partition] = max(at, self.differs_to.get(partition, at))


def build_batch(
    records: Iterable[Record],
    decode: Callable[[bytes], EnrichedEvent | Refusal],
    erases: Callable[[str, int, int], bool],
) -> Batch:
    """The batch of the records. Of equal events (`eventId`, visitor and day), it has the first.

    `erases` is as `Erasures.erases`. Refused events are only counted: aggregate writes their dead letters.
    """
    batch = Batch()
    arrivals: dict[int, int] = {}
    known: dict[tuple[str, int, int], tuple[Row, int]] = {}
    for record in records:
        partition = record.partition
        batch.next_offsets[partition] = record.offset + 1
        arrivals[partition] = record.timestamp_ms
        outcomes = batch.outcomes.get(partition)
        if outcomes is None:
            outcomes = batch.outcomes[partition] = Outcomes()
        event = decode(record.value)
        if isinstance(event, Refusal) or event.timestamp > record.timestamp_ms + FUTURE_TOLERANCE_MS:
            outcomes.refused += 1
            _note_refused(batch, record)
        elif erases(event.userId, event.timestamp, record.timestamp_ms):
            outcomes.erased += 1
        else:
            if _ESCAPED_NUL in record.value:
                row = row_of(event)
                batch.note_difference(partition, row.ts)
            else:
                row = _row_of(event)
            if row.event_digest is not None:
                key = row.visitor, row.event_digest, event.timestamp // DAY_MS
                first, first_ms = known.setdefault(key, (row, record.timestamp_ms))
                if first is not row:
                    outcomes.duplicates += 1
                    arrived, arrived_first = _instant(record.timestamp_ms), _instant(first_ms)
                    # Aggregate remembers no late event: then its time, which is long ago, decides.
                    is_late = arrived_first - first.ts >= _SURELY_IN_TIME
                    known_from = first.ts if is_late else arrived_first
                    if may_count_again(arrived, known_from, is_same_site=row.site == first.site):
                        batch.note_difference(partition, row.ts)
                    continue
            batch.rows.append((partition, row))
    batch.arrivals = {partition: _instant(arrival_ms) for partition, arrival_ms in arrivals.items()}
    return batch


def _note_refused(batch: Batch, record: Record) -> None:
    """Aggregate reads fewer fields: another one may be what is wrong."""
    event = _decode_counted(record.value)
    if not isinstance(event, Refusal) and event.timestamp <= record.timestamp_ms + FUTURE_TOLERANCE_MS:
        batch.note_difference(record.partition, _instant(event.timestamp))


def may_count_again(arrival: datetime, first: datetime, *, is_same_site: bool) -> bool:
    """Whether aggregate may count a duplicate that arrived then.

    `first`: when the first such event arrived; or happened, if that is not known.
    Aggregate remembers an id for an hour from its first arrival, which was a minute before the event at the earliest.
    With SITE, it knows those of its site alone.
    """
    return arrival - first >= _SURELY_REMEMBERED or not is_same_site


def row_of(event: EnrichedEvent) -> Row:
    """The row of an event within the limits."""
    row = Row._make(_stored(value) if isinstance(value, str) else value for value in _row_of(event))
    return row._replace(event_digest=event_digest(row.event_id)) if row.event_id else row


def _row_of(event: EnrichedEvent) -> Row:
    """The same where no text of the event has a NUL character, in half the time."""
    # Without a call or a keyword for each field: this is most of what a batch takes to build.
    event_id, event_type, value = event.eventId, event.eventType, _amount(event.value)
    link, page = _link_and_page(event.url)
    source, channel, campaign = _origin(_link_and_page(event.referrer)[0], link)
    original = event.original_timestamp
    kind = DEFAULT_EVENT_TYPE if event_type is UNSET or not event_type else event_type
    return Row(
        _instant(event.timestamp),
        event.userId,
        NO_SITE if event.site is UNSET else event.site or NO_SITE,
        kind,
        event.country,
        event.deviceType,
        event.browser,
        event.operatingSystem,
        event.gender,
        source,
        channel,
        event.productId,
        event.category,
        event.title,
        None if event.url is UNSET else event.url,
        None if event.referrer is UNSET else event.referrer,
        campaign,
        page,
        event.userAgent,
        None if event.profileGender is UNSET else event.profileGender,
        _currency(event.currency),
        None if event.platform is UNSET else event.platform,
        None if event.quantity is UNSET else event.quantity,
        event.age,
        None if event.profileAge is UNSET else event.profileAge,
        None if original is None else _instant(original),
        None if event_id is UNSET or not event_id else event_digest(event_id),
        None if event_id is UNSET else event_id,
        None if event.orderId is UNSET else event.orderId,
        event.ip,
        event.birthdate,
        value,
        _amount(event.cost),
        None if value is None else sale_of(value, kind),
    )


def name_digest(name: str) -> UUID:
    """What finds a text in `names` and `visitors`."""
    return UUID(bytes=name_key(name))


def name_key(name: str) -> bytes:
    """The bytes of `name_digest`."""
    return blake2b(name.encode(), digest_size=16).digest()


def visitor_digest(user_id: str) -> UUID:
    """What finds the visitor with this `userId` in `visitors`. Raises UnicodeEncodeError for lone surrogates."""
    return name_digest(_stored(user_id))


def event_digest(event_id: str) -> int:
    """64 bits that stand for an event id among those of one visitor and day."""
    return int.from_bytes(blake2b(event_id.encode(), digest_size=8).digest(), signed=True)


@lru_cache(maxsize=_URLS_CACHED)
def _link_and_page(url: str | UnsetType | None) -> tuple[Link, str | None]:
    page = page_of(url)
    return link_of(url), None if page is None else shortened(page, PAGE_BYTES)


@lru_cache(maxsize=_LINKS_CACHED)
def _origin(referrer: Link, page: Link) -> tuple[str, str, str | None]:
    """The source, channel and campaign, in the words of aggregate."""
    return source_by(referrer, page), channel_by(referrer, page), campaign_by(page)


def _instant(timestamp_ms: int) -> datetime:
    # timedelta takes whole numbers apart exactly; a float of seconds would not keep every millisecond.
    return _EPOCH + timedelta(days=timestamp_ms // DAY_MS, milliseconds=timestamp_ms % DAY_MS)


def _stored(text: str) -> str:
    """Replaced, not removed, so that two ids do not become one, nor an id empty."""
    return text.replace(_NUL, _REPLACEMENT) if _NUL in text else text


def _currency(text: str | UnsetType | None) -> str | None:
    """Of an amount without one, null: it is in the reporting currency."""
    return currency_of(text) if isinstance(text, str) and text else None


def _amount(text: str | UnsetType | None) -> Decimal | None:
    millionths = None if text is None or text is UNSET else millionths_of(text)
    return None if millionths is None else Decimal(millionths) / MILLION
