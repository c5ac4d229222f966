"""A known stream of raw clicks from a seed; a number in each identifies it later.

Some are orders, refunds, carts and visits by a campaign, in amounts and currencies as producers write them.
"""

import json
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from tests.support.oracle.naive_rollups import TAGGED, of_type, on_page

_NUMBER: Final = re.compile(rb"/n(\d+)/")  # in a path, because enrich keeps no fragment
_AGENTS: Final = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "curl/8.0",
    None,
)
PRODUCTS: Final = 150
VISITORS: Final = 400
_REMEMBERED: Final = 200
_LATE_HOURS: Final = 9.5
_TAGGED: Final = tuple(TAGGED)
_VALUES: Final[tuple[str | float, ...]] = (19.99, "19.99", " 5 ", 0, 120, "1e2", 0.1, "0.000001", 1234567.891, "7.50")
_REFUNDS: Final[tuple[str | float, ...]] = (-5, "-0.5", "-5")
_CURRENCIES: Final = ("EUR", "EUR", "EUR", "EUR", "eur", None, "USD", "CHF", "€")
GOALS: Final = {"Purchase": of_type("purchase"), "Basket": of_type("add_to_cart"), "Shop": on_page("/shop/*")}
GOALS_TOML: Final = """
[[goal]]
name = "Purchase"
event_type = "purchase"
[[goal]]
name = "Basket"
event_type = "add_to_cart"
[[goal]]
name = "Shop"
page = "/shop/*"
"""


class _Order(NamedTuple):
    """An order that may be sent again, or refunded."""

    user: str
    order_id: str
    value: str | float
    currency: str | None


@dataclass(frozen=True, slots=True)
class Click:
    """A click as it is sent, and what must become of it."""

    number: int
    key: bytes
    value: bytes
    facts: tuple[int, str, str | None] | None
    """Timestamp (epoch ms), userId and productId of the enriched click; None: it must become a dead letter."""


def number_of(value: bytes) -> int:
    """The number in a click's value, whether raw, enriched or refused."""
    found = _NUMBER.search(value)
    assert found is not None, value
    return int(found[1])


class Clicks:
    """Makes clicks: some late, bad or repeated, some without a product, an address or an eventId."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._made = 0
        self._ids: list[tuple[str, str]] = []  # userId and eventId of clicks that may be repeated
        self._orders: list[_Order] = []

    def make(self, now_ms: int) -> Click:
        """The next click, up to nine and a half hours before `now_ms` and mostly recent."""
        chance = self._chance
        number, self._made = self._made, self._made + 1
        user = f"user {chance.randrange(VISITORS)}"
        if chance.random() < 0.02:
            return Click(number, user.encode(), self._bad_value(number, user, now_ms), None)
        commerce = self._commerce(number, user)
        user = commerce.pop("userId", user)
        event_id: str | None = f"e{number}"
        if self._ids and chance.random() < 0.05:
            user, event_id = chance.choice(self._ids[-_REMEMBERED:])
        elif chance.random() < 0.2:
            event_id = None
        else:
            self._ids.append((user, f"e{number}"))
        ago_s = chance.choice(
            [
                chance.uniform(0, 10),
                chance.uniform(0, 900),
                chance.uniform(0, 3600),
                chance.uniform(0, 3600 * _LATE_HOURS),
            ]
        )
        timestamp = now_ms - int(ago_s * 1000)
        product = None if chance.random() < 0.15 else f"p{chance.randrange(PRODUCTS)}"
        fields: dict[str, Any] = {
            "timestamp": datetime.fromtimestamp(timestamp / 1000, UTC).isoformat() if number % 7 == 0 else timestamp,
            "userId": user,
            "productId": product,
            "ip": chance.choice([None, f"81.2.69.{chance.randrange(256)}", f"8.8.8.{chance.randrange(256)}"]),
            "userAgent": chance.choice(_AGENTS),
            "eventId": event_id,
            "url": chance.choice([None, f"/shop/{product}?from={number % 7}", "/", chance.choice(_TAGGED)]),
            "referrer": f"https://shop.example/n{number}/",
            **commerce,
        }
        return Click(number, user.encode(), _encoded(fields), (timestamp, user, product))

    def _commerce(self, number: int, user: str) -> dict[str, Any]:
        """Nothing for most clicks; else the fields of a cart, an order, a line, one sent again, or a refund."""
        chance = self._chance
        wish = chance.random()
        if wish < 0.05:
            return {"eventType": "add_to_cart"}
        if wish < 0.12:
            order = _Order(user, f"o{number}", chance.choice(_VALUES), chance.choice(_CURRENCIES))
            self._orders.append(order)
            has_id = chance.random() < 0.8
            return _sale(order, "purchase", order.value) | ({} if has_id else {"orderId": None})
        if not self._orders or wish >= 0.17:
            return {}
        order = chance.choice(self._orders[-_REMEMBERED:])
        if wish < 0.135:  # another product of an order
            line = _Order(order.user, f"{order.order_id}-2", chance.choice(_VALUES), order.currency)
            return _sale(line, "purchase_line", line.value) | {"userId": order.user}
        if wish < 0.155:  # the page that thanks is loaded again, maybe with another amount
            return _sale(order, "purchase", order.value if chance.random() < 0.5 else 1.5) | {"userId": order.user}
        return _sale(order, "refund", chance.choice(_REFUNDS)) | {"userId": order.user}

    def _bad_value(self, number: int, user: str, now_ms: int) -> bytes:
        note = f"/n{number}/"
        future: dict[str, Any] = {"timestamp": now_ms + 3_600_000, "userId": user, "referrer": note}
        return self._chance.choice(
            [
                f"no json {note}".encode(),
                b"\xff\xfe" + note.encode(),
                _encoded({"timestamp": now_ms, "referrer": note}),
                _encoded({"timestamp": "yesterday", "userId": user, "referrer": note}),
                _encoded(future),
                _encoded({"timestamp": now_ms, "userId": user, "referrer": note, "value": "12,50"}),
            ]
        )


def _sale(order: _Order, event_type: str, value: str | float) -> dict[str, Any]:
    return {
        "eventType": event_type,
        "value": value,
        "currency": order.currency,
        "quantity": 1,
        "orderId": order.order_id,
        "cost": "0.25",
        "platform": "web",
    }


def _encoded(fields: Mapping[str, Any]) -> bytes:
    return json.dumps({name: field for name, field in fields.items() if field is not None}).encode()
