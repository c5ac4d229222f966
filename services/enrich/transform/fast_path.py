"""The fast path keeps a producer's bytes and appends what enriching adds, in half the time that `enrich` takes. Pure.

The result decodes to the event that `enrich` returns. `enrich` handles all other clicks, and all clicks while a privacy
option is on.
"""

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final, get_args

import msgspec
from msgspec import UNSET, UnsetType, defstruct

from services.enrich.lookups.catalogue import NO_PRODUCT, Appendix, ProductFacts, VisitorFacts
from services.enrich.transform.fields import FIELDS, Field, Source, compiled
from shared.events.refusals import UNDECODABLE
from shared.events.schema import MAX_EVENT_BYTES, EnrichedEvent, RawEvent
from shared.events.time_units import DAY_MS
from shared.events.timestamps import FUTURE_TOLERANCE_MS
from shared.streams.event_log import ToAppend


def _is_optional(field: Field) -> bool:
    return UnsetType in get_args(field.kept)


_KEPT: Final = [field for field in FIELDS if field.kept is not None]
_ADDED: Final = sorted([field for field in FIELDS if field.kept is None], key=attrgetter("source"))
_OF_PRODUCT: Final = [field for field in _ADDED if field.source is Source.PRODUCT]
_OTHERS: Final = [field for field in _ADDED if field.source is not Source.PRODUCT]

_PlainClick: Final = defstruct(
    "PlainClick",
    [(field.name, field.kept, UNSET) if _is_optional(field) else (field.name, field.kept) for field in _KEPT],
    # A click with another field is not plain, so the expressions of FIELDS find none of the other raw fields.
    namespace=dict.fromkeys(set(RawEvent.__struct_fields__) - {field.name for field in _KEPT}),
    frozen=True,
    gc=False,
    forbid_unknown_fields=True,
)
_decode: Final[Callable[[bytes], Any]] = msgspec.json.Decoder(_PlainClick).decode
_encode: Final = msgspec.json.Encoder().encode
_product_answers: Final = compiled(defstruct("ProductAnswers", [field.name for field in _OF_PRODUCT]), _OF_PRODUCT)
_other_answers: Final = compiled(defstruct("OtherAnswers", [field.name for field in _OTHERS]), _OTHERS)

_UNFIT: Final = (KeyError, *UNDECODABLE)
_CLOSING_BRACE: Final = ord("}")  # the appended members replace it; after white space it would not be the last byte
_LONGEST_REMEMBERED: Final = 512  # characters, so that no producer can fill the memory


def _product_members(product: ProductFacts) -> bytes:
    """`,"category":…,"title":…`. The product remembers them for its next click."""
    product.members = members = b"," + _encode(_product_answers(product=product))[1:-1]
    return members


def _without_product() -> dict[UnsetType | None, bytes]:
    """The members for a click whose `productId` is null or absent: readers expect null even where it is absent."""
    empty = EnrichedEvent(0, "")
    nulls = {field.name: None for field in _KEPT if _is_optional(field) and getattr(empty, field.name) is None}
    members = _product_members(NO_PRODUCT)
    return {None: members, UNSET: b"," + _encode(nulls)[1:-1] + members}


_NO_PRODUCT: Final = _without_product()


def _appendix_of(
    click: Any,
    visitor: VisitorFacts,
    country_by_ip: Mapping[str | None, str],
    device_types: Mapping[str | None, str],
) -> tuple[bytes, bytes]:
    """The members after the product's, with the closing brace, and the record's key.

    The visitor remembers them for their next click.
    """
    ip, user_agent = click.ip, click.userAgent
    country, device_type = country_by_ip[ip], device_types[user_agent]
    answers = _other_answers(click=click, visitor=visitor, country=country, device_type=device_type)
    members = b"," + _encode(answers)[1:]
    key = click.userId.encode()
    if len(ip or "") + len(user_agent or "") <= _LONGEST_REMEMBERED:
        visitor.appendix = Appendix(click.timestamp // DAY_MS, country_by_ip, ip, user_agent, members, key)
    return members, key


def append_answers(
    values: Sequence[bytes],
    arrived_ms: Sequence[int],
    topic: str,
    products: Mapping[str, ProductFacts],
    visitors: Mapping[str, VisitorFacts],
    country_by_ip: Mapping[str | None, str],
    device_types: Mapping[str | None, str],
) -> tuple[list[ToAppend | None], list[int]]:
    """Enrich the plain clicks among the values of records that the log appended at `arrived_ms`, for `topic`.

    Returns an output for each value, None for those left to `enrich`, and the indexes of these: clicks that are not
    plain or are refused, and clicks whose product or visitor is not among those given. Every address has a country in
    `country_by_ip`, every user agent a device type.
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
            if product_id:
                product = products[product_id]
                about_product = product.members or _product_members(product)
            else:
                about_product = _NO_PRODUCT[product_id]
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
