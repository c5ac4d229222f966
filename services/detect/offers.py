"""The offer state machine, one per visitor. Pure: the transitions are data, and time comes from the events.

    init ──clothing──▶ clothes_visited ──shoes──▶ shoes_visited ──clothing, another product──▶ offer, back to init
                         ▲  └─clothing─┘                │
                         └───────clothing, the same─────┘

Anything else resets to init: a page of another category, or a click too long after the first interaction.
"""

from collections.abc import Mapping
from enum import Enum, StrEnum, auto
from typing import Final, NamedTuple

import msgspec
from msgspec import UNSET

from shared.events.schema import EnrichedEvent


class State(StrEnum):
    """A visitor's state. OFFER is momentary: the visitor gets the offer and is back in INIT."""

    INIT = "init"
    CLOTHES_VISITED = "clothes_visited"
    SHOES_VISITED = "shoes_visited"
    OFFER = "offer"


class ProductMatch(Enum):
    """Which product a step requires, relative to the first interaction's."""

    ANY = auto()
    FIRST = auto()
    ANOTHER = auto()


class Step(NamedTuple):
    """A click on `product` of `category` leads to `next_state`."""

    category: str
    product: ProductMatch
    next_state: State


class OfferSegment(NamedTuple):
    """Visitors who may get `offer`; ages in years, inclusive."""

    offer: str
    youngest: int
    oldest: int


TRANSITIONS: Final[Mapping[State, tuple[Step, ...]]] = {
    State.INIT: (Step("clothing", ProductMatch.ANY, State.CLOTHES_VISITED),),
    State.CLOTHES_VISITED: (
        Step("shoes", ProductMatch.ANY, State.SHOES_VISITED),
        Step("clothing", ProductMatch.ANY, State.CLOTHES_VISITED),
    ),
    State.SHOES_VISITED: (
        Step("clothing", ProductMatch.ANOTHER, State.OFFER),
        Step("clothing", ProductMatch.FIRST, State.CLOTHES_VISITED),
    ),
}
OFFER_SEGMENTS: Final[Mapping[str, OfferSegment]] = {
    "M": OfferSegment("offer1", 35, 45),
    "F": OfferSegment("offer2", 25, 35),
}
"""By gender."""


class Journey(msgspec.Struct, frozen=True):
    """What the machine stores per visitor: the state, the first interaction and the product of the last one."""

    state: State = State.INIT
    started_ms: int = 0
    first_product: str | None = None
    last_product: str | None = None


class Transition(NamedTuple):
    """A visitor entered `state`; `offer` is set with State.OFFER. A reset to init is not a transition."""

    state: State
    offer: str | None = None


START: Final = Journey()


def with_known_profile(event: EnrichedEvent) -> EnrichedEvent:
    """The event with the gender and age of the lookup in place of those that the click claims.

    Anybody can send a click that claims to be somebody who gets an offer.
    """
    if event.profileGender is UNSET and event.profileAge is UNSET:
        return event
    gender = event.profileGender if isinstance(event.profileGender, str) else "U"
    age = event.profileAge if isinstance(event.profileAge, int) else None
    return msgspec.structs.replace(event, gender=gender, age=age)


def concerns(event: EnrichedEvent) -> bool:
    """Whether the machine looks at the event: a product page, viewed by someone in an offer segment.

    A page without a product is skipped, because it does not turn the visitor to another product.
    """
    segment = OFFER_SEGMENTS.get(event.gender)
    return (
        segment is not None
        and event.productId is not None
        and event.age is not None
        and segment.youngest <= event.age <= segment.oldest
    )


def advance(journey: Journey, event: EnrichedEvent, window_ms: int) -> tuple[Journey, Transition | None]:
    """The journey after an event that `concerns` the machine. Reloading the last product's page changes nothing."""
    if journey.state is not State.INIT:
        if event.productId == journey.last_product:
            return journey, None
        if abs(event.timestamp - journey.started_ms) >= window_ms:
            return START, None
    for step in TRANSITIONS[journey.state]:
        if step.category == event.category and _is_product(step.product, event.productId, journey.first_product):
            return _enter(step.next_state, journey, event)
    return START, None


def _enter(state: State, journey: Journey, event: EnrichedEvent) -> tuple[Journey, Transition]:
    if state is State.OFFER:
        return START, Transition(state, OFFER_SEGMENTS[event.gender].offer)
    if journey.state is State.INIT:
        return Journey(state, event.timestamp, event.productId, event.productId), Transition(state)
    return msgspec.structs.replace(journey, state=state, last_product=event.productId), Transition(state)


def _is_product(wanted: ProductMatch, product: str | None, first: str | None) -> bool:
    return wanted is ProductMatch.ANY or (product == first) is (wanted is ProductMatch.FIRST)
