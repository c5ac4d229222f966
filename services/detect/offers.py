"""The offer's state machine, one a visitor. Pure: the transitions are data, time comes with the events.

    init ──clothing──▶ clothes_visited ──shoes──▶ shoes_visited ──clothing, another product──▶ offer, back to init
                         ▲  └─clothing─┘                │
                         └───────clothing, the same─────┘

Anything else leads back to init: a page of another category, or a click too long after the first interaction.
"""

from collections.abc import Mapping
from enum import Enum, StrEnum, auto
from typing import Final, NamedTuple

import msgspec

from shared.events.schema import EnrichedEvent


class State(StrEnum):
    """Where a visitor stands. OFFER is passed through: who gets the offer is in INIT again."""

    INIT = "init"
    CLOTHES_VISITED = "clothes_visited"
    SHOES_VISITED = "shoes_visited"
    OFFER = "offer"


class Product(Enum):
    """Which product a step asks for, compared with the one of the first interaction."""

    ANY = auto()
    FIRST = auto()
    ANOTHER = auto()


class Step(NamedTuple):
    """A click on `product` of `category` leads to `next_state`."""

    category: str
    product: Product
    next_state: State


class Audience(NamedTuple):
    """Who may get an offer, and which; ages in years, both included."""

    offer: str
    youngest: int
    oldest: int


TRANSITIONS: Final[Mapping[State, tuple[Step, ...]]] = {
    State.INIT: (Step("clothing", Product.ANY, State.CLOTHES_VISITED),),
    State.CLOTHES_VISITED: (
        Step("shoes", Product.ANY, State.SHOES_VISITED),
        Step("clothing", Product.ANY, State.CLOTHES_VISITED),
    ),
    State.SHOES_VISITED: (
        Step("clothing", Product.ANOTHER, State.OFFER),
        Step("clothing", Product.FIRST, State.CLOTHES_VISITED),
    ),
}
AUDIENCES: Final[Mapping[str, Audience]] = {"M": Audience("offer1", 35, 45), "F": Audience("offer2", 25, 35)}


class Journey(msgspec.Struct, frozen=True):
    """What the machine keeps of a visitor: the state, the first interaction and the product of the last one."""

    state: State = State.INIT
    started_ms: int = 0
    first_product: str | None = None
    last_product: str | None = None


class Transition(NamedTuple):
    """A visitor entered `state`; `offer` is set with State.OFFER. A fall back to init is no transition."""

    state: State
    offer: str | None = None


START: Final = Journey()


def concerns(event: EnrichedEvent) -> bool:
    """Whether the machine looks at the event: a product's page, seen by one of the audiences.

    A page without a product is passed over: the visitor did not turn to another product by it.
    """
    audience = AUDIENCES.get(event.gender)
    return (
        audience is not None
        and event.productId is not None
        and event.age is not None
        and audience.youngest <= event.age <= audience.oldest
    )


def advance(journey: Journey, event: EnrichedEvent, window_ms: int) -> tuple[Journey, Transition | None]:
    """Where an event that `concerns` the machine leads. A refresh of the last product's page changes nothing."""
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
        return START, Transition(state, AUDIENCES[event.gender].offer)
    if journey.state is State.INIT:
        return Journey(state, event.timestamp, event.productId, event.productId), Transition(state)
    return msgspec.structs.replace(journey, state=state, last_product=event.productId), Transition(state)


def _is_product(wanted: Product, product: str | None, first: str | None) -> bool:
    return wanted is Product.ANY or (product == first) is (wanted is Product.FIRST)
