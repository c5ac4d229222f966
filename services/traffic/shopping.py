"""What people do in the shop beyond looking: carts, checkouts, orders, refunds and newsletter sign-ups. Pure.

An order of several products is an event for each: the first stands for the order, the others are further lines.
"""

from collections.abc import Iterator, Sequence
from random import Random
from typing import Final, NamedTuple

import msgspec

from services.traffic.browsing import HOST, SITE, Page, draw_product_page
from services.traffic.catalogue import PRODUCTS, CatalogueProduct
from services.traffic.intentions import Intention, Stage
from services.traffic.visitors import Visitor
from shared.events.amounts import MILLION, ORDER_LINE, amount_text, millionths_of
from shared.events.schema import DEFAULT_EVENT_TYPE, RawEvent

ADD_TO_CART: Final = "add_to_cart"
PURCHASE: Final = "purchase"
REFUND: Final = "refund"
NEWSLETTER: Final = "newsletter_signup"

_CENT: Final = MILLION // 100  # in millionths
_DEAR_CENTS: Final = 15_000
_IMPULSE_CENTS: Final = 3_500
_CENTS_FOR_A_EURO: Final = {"EUR": 100, "GBP": 86, "CHF": 94}
_FULL_REFUNDS: Final = 0.7

_CART: Final = Page(f"{SITE}/cart")
_CHECKOUT: Final = Page(f"{SITE}/checkout")
_THANKS: Final = Page(f"{SITE}/checkout/thank-you")
_NEWSLETTER: Final = Page(f"{SITE}/newsletter")
_RETURNS: Final = Page(f"{SITE}/account/returns")

_CATEGORIES: Final = tuple(PRODUCTS)


class Sale(NamedTuple):
    """A line of an order; the first has the id of the order, the others ids of their own."""

    order_id: str
    value_cents: int
    cost_cents: int
    quantity: int
    product: CatalogueProduct


class Step(NamedTuple):
    """A page of a session with what happens on it."""

    page: Page
    event_type: str = DEFAULT_EVENT_TYPE
    sale: Sale | None = None


def shop(rng: Random, visitor: Visitor, intention: Intention, liked: str | None) -> Iterator[Step]:
    """The steps after browsing, as many as `intention.steps`. `liked` is the category to buy from, if known."""
    if intention.products:
        basket: list[Page] = []
        for _ in range(intention.products):
            page = _draw_wanted(rng, liked or rng.choice(visitor.favourites or _CATEGORIES), basket)
            basket.append(page)
            yield Step(page)
            yield Step(page, ADD_TO_CART)
        yield Step(_CART)
        if intention.stage >= Stage.CHECKOUT:
            yield Step(_CHECKOUT)
        if intention.stage is Stage.ORDER:
            yield Step(_THANKS)
            lines = _order(rng, visitor.currency, basket)
            for _ in range(intention.reports):
                for number, line in enumerate(lines):
                    yield Step(_THANKS, ORDER_LINE if number else PURCHASE, line)
    if intention.signs_up:
        yield Step(_NEWSLETTER, NEWSLETTER)


def event_of(
    visitor: Visitor,
    time_ms: int,
    event_id: str,
    page: Page,
    url: str,
    referrer: str | None,
    event_type: str = DEFAULT_EVENT_TYPE,
    sale: Sale | None = None,
) -> RawEvent:
    """What the shop sends about a page, or about what happens on it. Its `url` may carry more than the page's."""
    product = page.product
    event = RawEvent(
        timestamp=time_ms,
        userId=visitor.user_id,
        productId=product.product_id if product is not None else None,
        ip=visitor.ip,
        userAgent=visitor.user_agent,
        eventId=event_id,
        eventType=event_type,
        url=url,
        referrer=referrer,
        site=HOST,
    )
    return event if sale is None else _with_sale(event, visitor, sale)


def refund(rng: Random, line: RawEvent, time_ms: int, event_id: str) -> RawEvent:
    """The refund of a line of an order, mostly all of it; asked for on the page of returns."""
    assert line.value is not None
    assert line.url is not None
    millionths = millionths_of(line.value)
    assert millionths is not None
    is_full = rng.random() < _FULL_REFUNDS
    cents = millionths // _CENT if is_full else max(1, int(millionths / _CENT * rng.uniform(0.15, 0.6)))
    return msgspec.structs.replace(
        line,
        timestamp=time_ms,
        eventId=event_id,
        eventType=REFUND,
        url=f"{_RETURNS.url}{line.url.removeprefix(_THANKS.url)}",  # it comes from where the order came from
        value=amount_text(-cents * _CENT),
        quantity=line.quantity if is_full else None,
        cost=None,
    )


def _with_sale(event: RawEvent, visitor: Visitor, sale: Sale) -> RawEvent:
    return msgspec.structs.replace(
        event,
        productId=sale.product.product_id,
        value=amount_text(sale.value_cents * _CENT),
        currency=visitor.currency,
        quantity=sale.quantity,
        orderId=sale.order_id,
        cost=amount_text(sale.cost_cents * _CENT),
        platform=visitor.platform,
    )


def _draw_wanted(rng: Random, category: str, basket: Sequence[Page]) -> Page:
    """A product that somebody buys, besides those of the basket: a dear one is looked at more often than bought."""
    page = draw_product_page(rng, category)
    for _ in range(2):
        if page.product is None or rng.random() * page.product.price_cents < _DEAR_CENTS:
            break
        page = draw_product_page(rng, category)
    while page in basket:
        page = draw_product_page(rng, category)
    return page


def _order(rng: Random, currency: str, basket: Sequence[Page]) -> Sequence[Sale]:
    """A line for each product of the basket."""
    order_id = f"{rng.getrandbits(48):012X}"
    lines = []
    for number, page in enumerate(basket, start=1):
        assert page.product is not None
        pieces = rng.choices((1, 2, 3), (70, 22, 8))[0] if page.product.price_cents < _IMPULSE_CENTS else 1
        value_cents = pieces * (page.product.price_cents * _CENTS_FOR_A_EURO[currency] // 100)
        lines.append(
            Sale(
                order_id=order_id if number == 1 else f"{order_id}-{number}",
                value_cents=value_cents,
                cost_cents=int(value_cents * rng.uniform(0.45, 0.7)),
                quantity=pieces,
                product=page.product,
            )
        )
    return lines
