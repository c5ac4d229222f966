"""Most clicks need no writing anew: what the producer wrote is kept, and the answers are appended to it. Pure.

That takes half of what it takes to make an event and to write that. The result reads the same as what
`services.enrich.transform.enrich` makes, which takes all other clicks, and every click where privacy changes what
may be seen.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from services.enrich.lookups.catalogue import NO_PRODUCT, Appendix, Product, Visitor, json_members
from services.enrich.transform.enrich import OLDEST_YEARS, years_since
from shared.events.schema import MAX_EVENT_BYTES
from shared.events.timestamps import DAY_MS, EPOCH_MS, FUTURE_TOLERANCE_MS
from shared.streams.event_log import ToAppend

_Text = Annotated[str, Meta(min_length=1)]


class PlainClick(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A click whose every field is as an enriched one has it.

    None is unknown, and none is there that enrich may answer otherwise (a gender, an age) or has to translate (another
    form of timestamp, an original timestamp).
    """

    timestamp: Annotated[int, Meta(ge=EPOCH_MS.start, lt=EPOCH_MS.stop)]
    userId: _Text
    ip: str | None
    userAgent: str | None
    productId: _Text | UnsetType | None = UNSET
    eventId: str | UnsetType = UNSET
    eventType: _Text | UnsetType = UNSET
    url: str | UnsetType = UNSET
    referrer: str | UnsetType = UNSET


_decode: Final = msgspec.json.Decoder(PlainClick).decode
_UNFIT: Final = (KeyError, msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_CLOSING_BRACE: Final = ord("}")  # nothing follows it: white space would stand before what is appended
_NO_PRODUCT: Final = {None: NO_PRODUCT.members, UNSET: json_members(productId=None) + NO_PRODUCT.members}
_AGE: Final = b',"original_timestamp":null,"age":%b}'
_AGES: Final[dict[int | None, bytes]] = {years: _AGE % str(years).encode() for years in range(OLDEST_YEARS + 1)}
_NO_AGE: Final = _AGE % b"null"
_LONGEST_REMEMBERED: Final = 512  # characters, so that no producer can fill the memory with them


class _Members(dict[str, bytes]):
    """JSON members of one name by value, of which there are few."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def __missing__(self, value: str) -> bytes:
        self[value] = members = json_members(**{self._name: value})
        return members


_countries: Final = _Members("country")
_devices: Final = _Members("deviceType")


def _appendix_of(
    click: PlainClick,
    visitor: Visitor,
    country_by_ip: Mapping[str | None, str],
    device_types: Mapping[str | None, str],
) -> tuple[bytes, bytes]:
    """All but the product: the members that end the click's object, and the record's key.

    The visitor remembers them for their next click.
    """
    ip, user_agent, timestamp_ms = click.ip, click.userAgent, click.timestamp
    age = None if visitor.birth_number is None else years_since(visitor.birth_number, timestamp_ms)
    members = b"".join(
        (
            json_members(gender=visitor.gender, birthdate=visitor.birthdate),
            _countries[country_by_ip[ip]],
            _devices[device_types[user_agent]],
            _AGES.get(age, _NO_AGE),
        )
    )
    key = click.userId.encode()
    if len(ip or "") + len(user_agent or "") <= _LONGEST_REMEMBERED:
        visitor.appendix = Appendix(timestamp_ms // DAY_MS, country_by_ip, ip, user_agent, members, key)
    return members, key


def append_answers(
    values: Sequence[bytes],
    arrived_ms: Sequence[int],
    topic: str,
    products: Mapping[str, Product],
    visitors: Mapping[str, Visitor],
    country_by_ip: Mapping[str | None, str],
    device_types: Mapping[str | None, str],
) -> tuple[list[ToAppend | None], list[int]]:
    """Enrich the plain clicks among the values of records that the log took at `arrived_ms`, for `topic`.

    Returns an output for each value, and the places of those that have none and are to be taken with care: what is not
    plain or is refused, and what has a product or a visitor that is not among those given. Countries and device types
    are known for all.
    """
    outputs: list[ToAppend | None] = []
    left: list[int] = []
    for value, arrival_ms in zip(values, arrived_ms, strict=True):
        try:
            click = _decode(value)
            timestamp_ms, product_id = click.timestamp, click.productId
            visitor = visitors[click.userId]
            day, answered_by, ip, user_agent, members, key = visitor.appendix
            if (
                ip != click.ip
                or user_agent != click.userAgent
                or day != timestamp_ms // DAY_MS
                or answered_by is not country_by_ip
            ):
                members, key = _appendix_of(click, visitor, country_by_ip, device_types)
            about_product = products[product_id].members if product_id else _NO_PRODUCT[product_id]  # type: ignore[index] # never ""
            enriched = b"".join((value[:-1], about_product, members))
            if (
                value[-1] == _CLOSING_BRACE
                and timestamp_ms <= arrival_ms + FUTURE_TOLERANCE_MS
                and len(enriched) <= MAX_EVENT_BYTES
            ):
                outputs.append((topic, key, enriched, ()))
                continue
        except _UNFIT:
            pass
        left.append(len(outputs))
        outputs.append(None)
    return outputs, left
