"""The fast path writes a click again and appends what was appended to the last one, in half of `enrich`'s time. Pure.

The result decodes to the event that `enrich` returns. `enrich` handles all other clicks, and all clicks while visitors
are hashed.
"""

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final, get_args

import msgspec
from msgspec import UNSET, UnsetType, defstruct

from services.enrich.attributes.agent import Agent
from services.enrich.lookups.catalogue import NO_PRODUCT, UNKNOWN_PRODUCT, Appendix, ProductFacts, VisitorFacts
from services.enrich.lookups.lru import LruCache
from services.enrich.privacy.truncation import truncated_ips
from services.enrich.transform.age import age_span
from services.enrich.transform.fields import FIELDS, Field, Source, compiled
from services.enrich.transform.plain_pages import is_plain_page
from services.enrich.transform.rules import Rules
from shared.events.hosts import LONGEST_HOST, is_site_name
from shared.events.limits import Limits, within
from shared.events.refusals import UNDECODABLE
from shared.events.schema import EnrichedEvent, RawEvent
from shared.events.timestamps import FUTURE_TOLERANCE_MS
from shared.streams.event_log import ToAppend


def _is_optional(field: Field) -> bool:
    return UnsetType in get_args(field.kept)


_KEPT: Final = [field for field in FIELDS if field.kept is not None]
_ADDED: Final = sorted([field for field in FIELDS if field.kept is None], key=attrgetter("source"))
_OF_PRODUCT: Final = [field for field in _ADDED if field.source is Source.PRODUCT]
_OTHERS: Final = [field for field in _ADDED if field.source is not Source.PRODUCT]

_encoder: Final = msgspec.json.Encoder()
_encode: Final = _encoder.encode
_ProductAnswers: Final = defstruct("ProductAnswers", [field.name for field in _OF_PRODUCT])
_OtherAnswers: Final = defstruct("OtherAnswers", [field.name for field in _OTHERS])

_UNFIT: Final = (KeyError, *UNDECODABLE)
_LONGEST_REMEMBERED: Final = 512  # characters, so that no producer can fill the memory
_SITES_REMEMBERED: Final = 1_024


class FastPath:
    """Enriches plain clicks, by the rules of a site."""

    def __init__(self, rules: Rules) -> None:
        self._clean_urls = rules.clean_urls
        self._truncates_ip = rules.truncates_ip
        self._decode = _decoder("PlainClick", _KEPT, rules.limits, is_ascii=True)
        self._decode_surely = _decoder("PlainClick", _KEPT, rules.limits, is_ascii=False)
        self._answers_of_product = compiled(_ProductAnswers, _OF_PRODUCT, rules)
        self._other_answers = compiled(_OtherAnswers, _OTHERS, rules)
        self._without_product = self._members_without_product()
        self._is_site = LruCache(is_site_name, _SITES_REMEMBERED, LONGEST_HOST)

    def append_answers(
        self,
        values: Sequence[bytes],
        arrived_ms: Sequence[int],
        topic: str,
        products: Mapping[str, ProductFacts],
        visitors: Mapping[str, VisitorFacts],
        country_by_ip: Mapping[str | None, str],
        agents: Mapping[str | None, Agent],
    ) -> tuple[list[ToAppend | None], list[int]]:
        """Enrich the plain clicks among the values of records that the log appended at `arrived_ms`, for `topic`.

        Returns an output for each value, None for those left to `enrich`, and the indexes of these: clicks that are not
        plain or are refused, and clicks whose product or visitor is not among those given. Every address has a country
        in `country_by_ip`, every user agent an entry in `agents`.
        """
        decode, decode_surely = self._decode, self._decode_surely
        clean_urls, is_site, without_product = self._clean_urls, self._is_site, self._without_product
        encode_into, join = _encoder.encode_into, b"".join
        own = bytearray()  # used again and again, so that it need not grow
        outputs: list[ToAppend | None] = []
        left: list[int] = []
        for value, arrival_ms in zip(values, arrived_ms, strict=True):
            try:
                click = decode(value)
                timestamp_ms, product_id, site = click.timestamp, click.productId, click.site
                visitor = visitors[click.userId]
                appendix = visitor.appendix
                if (
                    appendix.ip != click.ip
                    or appendix.user_agent != click.userAgent
                    or not appendix.since_ms <= timestamp_ms < appendix.until_ms
                    or appendix.country_by_ip is not country_by_ip
                ):
                    appendix = self._appendix_of(click, visitor, country_by_ip, agents)
                click.ip = appendix.written_ip
                if product_id:
                    product = products[product_id]
                    if product is UNKNOWN_PRODUCT and is_plain_page(product_id, click.url, product):
                        click.productId, product = None, NO_PRODUCT
                    about_product = product.members or self._members_of(product)
                else:
                    about_product = without_product[product_id]
                url, referrer = click.url, click.referrer
                if url is not UNSET:
                    click.url = clean_urls[url]
                if referrer is not UNSET:
                    click.referrer = clean_urls[referrer]
                encode_into(click, own)
                if not own.isascii():
                    decode_surely(own)  # its limits were counted in characters
                if timestamp_ms <= arrival_ms + FUTURE_TOLERANCE_MS and (site is UNSET or is_site[site]):
                    own.pop()  # the closing brace, which the appendix has
                    outputs.append((topic, appendix.key, join((own, about_product, appendix.members)), ()))
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
        agents: Mapping[str | None, Agent],
    ) -> Appendix:
        """What to append to the click. The visitor remembers it for their next one."""
        ip, user_agent = click.ip, click.userAgent
        country, agent = country_by_ip[ip], agents[user_agent]
        written_ip = truncated_ips[ip] if self._truncates_ip else ip
        answers = self._other_answers(click=click, visitor=visitor, country=country, agent=agent)
        members = b"," + _encode(answers)[1:]
        since_ms, until_ms = age_span(visitor.birth_number, click.timestamp)
        key = click.userId.encode()
        appendix = Appendix(since_ms, until_ms, country_by_ip, ip, user_agent, written_ip, members, key)
        if len(ip or "") + len(user_agent or "") <= _LONGEST_REMEMBERED:
            visitor.appendix = appendix
        return appendix

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


def _decoder(
    name: str, fields: Sequence[Field], limits: Limits, *, is_ascii: bool
) -> Callable[[bytes | bytearray], Any]:
    limited = [(field.name, _limited(field, limits, is_ascii=is_ascii)) for field in fields]
    struct = defstruct(
        name,
        [(*row, UNSET) if _is_optional(field) else row for row, field in zip(limited, fields, strict=True)],
        # A click with another field is not plain, so the expressions of FIELDS find none of the other raw fields.
        namespace=dict.fromkeys(set(RawEvent.__struct_fields__) - {field.name for field in fields}),
        gc=False,
        forbid_unknown_fields=True,
    )
    return msgspec.json.Decoder(struct).decode
