"""The fast path writes a click again and appends what was appended to the last one, in half of `enrich`'s time. Pure.

The result decodes to the event that `enrich` returns. `enrich` handles all other clicks, and all clicks while visitors
are hashed.
"""

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final, get_args

import msgspec
from msgspec import UNSET, UnsetType, defstruct

from services.enrich.lookups.catalogue import NO_PRODUCT, UNKNOWN_PRODUCT, Appendix, ProductFacts, VisitorFacts
from services.enrich.privacy.policy import truncated_ips
from services.enrich.transform.fields import FIELDS, Field, Source, compiled
from services.enrich.transform.plain_pages import is_plain_page
from services.enrich.transform.rules import Rules
from shared.events.limits import Limits, within
from shared.events.refusals import UNDECODABLE
from shared.events.schema import EnrichedEvent, RawEvent
from shared.events.time_units import DAY_MS
from shared.events.timestamps import FUTURE_TOLERANCE_MS
from shared.streams.event_log import ToAppend


def _is_optional(field: Field) -> bool:
    return UnsetType in get_args(field.kept)


_KEPT: Final = [field for field in FIELDS if field.kept is not None]
_OF_VISITOR: Final = [field for field in _KEPT if field.name in ("userId", "ip", "userAgent")]  # as in an `Appendix`
_OWN: Final = [field for field in _KEPT if field not in _OF_VISITOR]
_ADDED: Final = sorted([field for field in FIELDS if field.kept is None], key=attrgetter("source"))
_OF_PRODUCT: Final = [field for field in _ADDED if field.source is Source.PRODUCT]
_OTHERS: Final = [field for field in _ADDED if field.source is not Source.PRODUCT]

_encode: Final = msgspec.json.Encoder().encode
_Own: Final = defstruct("Own", [field.name for field in _OWN], frozen=True, gc=False)
_VisitorFields: Final = defstruct("VisitorFields", [field.name for field in _OF_VISITOR])
_ProductAnswers: Final = defstruct("ProductAnswers", [field.name for field in _OF_PRODUCT])
_OtherAnswers: Final = defstruct("OtherAnswers", [field.name for field in _OTHERS])

_UNFIT: Final = (KeyError, *UNDECODABLE)
_LONGEST_REMEMBERED: Final = 512  # characters, so that no producer can fill the memory


class FastPath:
    """Enriches plain clicks, by the rules of a site."""

    def __init__(self, rules: Rules) -> None:
        self._clean_urls = rules.clean_urls
        self._truncates_ip = rules.truncates_ip
        self._decode = _decoder("PlainClick", _KEPT, rules.limits, is_ascii=True)
        self._decode_surely = _decoder("OwnFields", _OWN, rules.limits, is_ascii=False)
        self._decode_visitor_surely = _decoder("VisitorFields", _OF_VISITOR, rules.limits, is_ascii=False)
        self._answers_of_product = compiled(_ProductAnswers, _OF_PRODUCT, rules)
        self._other_answers = compiled(_OtherAnswers, _OTHERS, rules)
        self._without_product = self._members_without_product()

    def append_answers(
        self,
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
        plain or are refused, and clicks whose product or visitor is not among those given. Every address has a country
        in `country_by_ip`, every user agent a device type.
        """
        decode, decode_surely = self._decode, self._decode_surely
        clean_urls, without_product = self._clean_urls, self._without_product
        outputs: list[ToAppend | None] = []
        left: list[int] = []
        for value, arrival_ms in zip(values, arrived_ms, strict=True):
            try:
                click = decode(value)
                timestamp_ms, product_id = click.timestamp, click.productId
                visitor = visitors[click.userId]
                day, answered_by, ip, user_agent, members, key = visitor.appendix
                if (
                    ip != click.ip
                    or user_agent != click.userAgent
                    or day != timestamp_ms // DAY_MS
                    or answered_by is not country_by_ip
                ):
                    members, key = self._appendix_of(click, visitor, country_by_ip, device_types)
                if product_id:
                    product = products[product_id]
                    if product is UNKNOWN_PRODUCT and is_plain_page(product_id, click.url, product):
                        product_id, product = None, NO_PRODUCT
                    about_product = product.members or self._members_of(product)
                else:
                    about_product = without_product[product_id]
                url, referrer = click.url, click.referrer
                if url is not UNSET:
                    url = clean_urls[url]
                if referrer is not UNSET:
                    referrer = clean_urls[referrer]
                own = _encode(_Own(timestamp_ms, product_id, click.eventId, click.eventType, url, referrer))
                if not own.isascii():
                    decode_surely(own)  # its limits were counted in characters
                if timestamp_ms <= arrival_ms + FUTURE_TOLERANCE_MS:
                    outputs.append((topic, key, b"".join((own[:-1], about_product, members)), ()))
                    continue
            except _UNFIT:
                pass
            left.append(len(outputs))
            outputs.append(None)
        return outputs, left

    def _appendix_of(
        self,
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
        kept = _encode(_VisitorFields(click.userId, truncated_ips[ip] if self._truncates_ip else ip, user_agent))
        if not kept.isascii():
            self._decode_visitor_surely(kept)
        answers = self._other_answers(click=click, visitor=visitor, country=country, device_type=device_type)
        members = b"".join((b",", kept[1:-1], b",", _encode(answers)[1:]))
        key = click.userId.encode()
        if len(ip or "") + len(user_agent or "") <= _LONGEST_REMEMBERED:
            visitor.appendix = Appendix(click.timestamp // DAY_MS, country_by_ip, ip, user_agent, members, key)
        return members, key

    def _members_of(self, product: ProductFacts) -> bytes:
        """`,"category":…,"title":…`. The product remembers them for its next click."""
        product.members = members = b"," + _encode(self._answers_of_product(product=product))[1:-1]
        return members

    def _members_without_product(self) -> dict[UnsetType | None, bytes]:
        """The members for a click whose `productId` is null or absent: readers expect null even where it is absent."""
        empty = EnrichedEvent(0, "")
        nulls = {field.name: None for field in _KEPT if _is_optional(field) and getattr(empty, field.name) is None}
        members = self._members_of(NO_PRODUCT)
        return {None: members, UNSET: b"," + _encode(nulls)[1:-1] + members}


def _limited(field: Field, limits: Limits, *, is_ascii: bool) -> Any:
    return field.kept if field.name == "timestamp" else within(field.name, field.kept, limits, is_ascii=is_ascii)


def _decoder(name: str, fields: Sequence[Field], limits: Limits, *, is_ascii: bool) -> Callable[[bytes], Any]:
    limited = [(field.name, _limited(field, limits, is_ascii=is_ascii)) for field in fields]
    struct = defstruct(
        name,
        [(*row, UNSET) if _is_optional(field) else row for row, field in zip(limited, fields, strict=True)],
        # A click with another field is not plain, so the expressions of FIELDS find none of the other raw fields.
        namespace=dict.fromkeys(set(RawEvent.__struct_fields__) - {field.name for field in fields}),
        frozen=True,
        gc=False,
        forbid_unknown_fields=True,
    )
    return msgspec.json.Decoder(struct).decode
