"""Orders and refunds: the clicks that they become. Pure.

An order of several products becomes a click for each of them if their prices add up to its value exactly: revenue is
then counted by product. The first is the order itself, a `purchase`, so that orders and conversions count once; the
others are of the type `purchase_line`. Otherwise the order is one click without a product, and in both cases its
revenue counts once.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from services.collect.clicks import Fields
from shared.events.amounts import MILLION, ORDER_LINE, REFUND_LINE, amount_text, millionths_of
from shared.events.limits import MOST_PIECES

PURCHASE: Final = "purchase"
REFUND: Final = "refund"
_LINES: Final = {PURCHASE: ORDER_LINE, REFUND: REFUND_LINE}
"""The type of an order's second and further clicks."""

_MOST_LINES: Final = 100
_LONGEST_ID: Final = 128  # characters: a longer id has no space for the number of a line
_LONGEST_NUMBER: Final = 64


class Product(NamedTuple):
    """A product of an order as it was sent; `price` is for one piece."""

    product_id: object
    price: object = None
    quantity: object = None


def sold(event: Mapping[str, Any], products: Sequence[Product], value: object, most: int) -> list[Fields]:
    """The clicks of an order: at most so many, at least one.

    Without a value the order is worth what its products cost, if all have a price.
    """
    return _clicks({**event, "eventType": PURCHASE}, products, value, most, sign=1)


def refunded(event: Mapping[str, Any], products: Sequence[Product], value: object, most: int) -> list[Fields]:
    """The clicks of a refund, whose value is written with or without a sign."""
    return _clicks({**event, "eventType": REFUND}, products, value, most, sign=-1)


def product_fields(products: Sequence[Product]) -> dict[str, Any]:
    """The product of an event that has only one, and the number of pieces."""
    if len(products) != 1:
        return {"quantity": _pieces(products)}
    return {"productId": products[0].product_id, "quantity": whole_number(products[0].quantity)}


def whole_number(value: object) -> int | None:
    """A number of pieces; None for what is none.

    >>> whole_number("3"), whole_number(2), whole_number("2.5"), whole_number(-1), whole_number([])
    (3, 2, None, None, None)
    """
    millionths = _millionths(value)
    if millionths is None or millionths < 0 or millionths % MILLION:
        return None
    pieces = millionths // MILLION
    return pieces if pieces <= MOST_PIECES else None


def _clicks(event: Mapping[str, Any], products: Sequence[Product], value: object, most: int, sign: int) -> list[Fields]:
    amounts = [_line(product) for product in products]
    priced = [amount for amount in amounts if amount is not None]
    total = _millionths(value)
    if value is None and priced and len(priced) == len(products):
        total = sum(priced)
    if total is None:  # absent, or a mistake to be found
        return [{**event, **product_fields(products), "value": value}]
    is_divided = (
        1 < len(products) <= min(most, _MOST_LINES)
        and len(priced) == len(products)
        and sum(priced) == abs(total)
        and all(_is_id(product.product_id) for product in products)
        and all(event.get(name) is None or _is_id(event[name]) for name in ("eventId", "orderId"))
    )
    # An order's own sign is kept: a negative one is a refund, whatever it is called.
    signed = -abs(total) if sign < 0 else total
    if not is_divided:
        return [{**event, **product_fields(products), "value": amount_text(signed)}]
    return [
        {
            **_numbered(event, number),
            "productId": product.product_id,
            "quantity": whole_number(product.quantity),
            "value": amount_text(amount if signed >= 0 else -amount),
        }
        for number, (product, amount) in enumerate(zip(products, priced, strict=True), 1)
    ]


def _numbered(event: Mapping[str, Any], number: int) -> Mapping[str, Any]:
    """The event of a line. Ids differ, because a repeated one counts once."""
    if number == 1:
        return event
    numbered = {**event, "eventType": _LINES[event["eventType"]]}
    for name, mark in (("eventId", ":"), ("orderId", "-")):
        if event.get(name) is not None:
            numbered[name] = f"{event[name]}{mark}{number}"
    return numbered


def _is_id(value: object) -> bool:
    return isinstance(value, int | str) and not isinstance(value, bool) and 0 < len(str(value)) <= _LONGEST_ID


def _line(product: Product) -> int | None:
    """What the pieces cost together, in millionths."""
    price = _millionths(product.price)
    pieces = 1 if product.quantity is None else whole_number(product.quantity)
    return None if price is None or price < 0 or not pieces else price * pieces


def _pieces(products: Sequence[Product]) -> int | None:
    """All pieces together, if each product has a number."""
    pieces = [whole_number(product.quantity) for product in products]
    return sum(piece or 0 for piece in pieces) if pieces and None not in pieces else None


def _millionths(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    if isinstance(value, int):
        return value * MILLION if abs(value) < 10**_LONGEST_NUMBER else None
    return millionths_of(value.strip())
