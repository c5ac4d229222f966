"""The slow path: combines a raw click with its lookups into an enriched click or a refusal. Pure."""

from typing import Protocol

import msgspec

from services.enrich.attributes.agent import Agent
from services.enrich.lookups.catalogue import NO_PRODUCT, ProductFacts, VisitorFacts
from services.enrich.transform.fields import FIELDS, compiled
from services.enrich.transform.plain_pages import is_plain_page
from services.enrich.transform.rules import Rules
from shared.events.limits import fitting
from shared.events.refusals import Reason, Refusal
from shared.events.schema import EnrichedEvent, RawEvent
from shared.events.timestamps import FUTURE_TOLERANCE_MS


class _Combine(Protocol):
    def __call__(
        self,
        click: RawEvent,
        user_id: str,
        ip: str | None,
        product: ProductFacts,
        visitor: VisitorFacts,
        country: str,
        agent: Agent,
        /,
    ) -> EnrichedEvent: ...


class Enricher:
    """Combines clicks with their lookups, by the rules of a site."""

    def __init__(self, rules: Rules) -> None:
        self._combine: _Combine = compiled(EnrichedEvent, FIELDS, rules)
        self._fit = fitting(EnrichedEvent, rules.limits)

    def enrich(
        self,
        event: RawEvent,
        user_id: str,
        ip: str | None,
        product: ProductFacts,
        visitor: VisitorFacts,
        country: str,
        agent: Agent,
        arrived_ms: int,
    ) -> EnrichedEvent | Refusal:
        """Combine one click with its lookups; pass NO_PRODUCT, UNKNOWN_PRODUCT or UNKNOWN_VISITOR where there are none.

        A plain page has no product, whatever the click says.

        `user_id` and `ip` are the event's own, or what the privacy options replace them with. `arrived_ms` is when the
        log appended the record, so that every replay gives the same result.
        """
        if event.productId is not None and is_plain_page(event.productId, event.url, product):
            event, product = msgspec.structs.replace(event, productId=None), NO_PRODUCT
        timestamp = event.timestamp
        if timestamp > arrived_ms + FUTURE_TOLERANCE_MS:
            ahead_seconds = (timestamp - arrived_ms) // 1000
            return Refusal(Reason.FUTURE, f"timestamp {timestamp} is {ahead_seconds} s ahead of its arrival")
        return self._fit(self._combine(event, user_id, ip, product, visitor, country, agent))
