"""A known stream of raw clicks from a seed; a number in each identifies it later."""

import json
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

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

    def make(self, now_ms: int) -> Click:
        """The next click, up to nine and a half hours before `now_ms` and mostly recent."""
        chance = self._chance
        number, self._made = self._made, self._made + 1
        user = f"user {chance.randrange(VISITORS)}"
        if chance.random() < 0.02:
            return Click(number, user.encode(), self._bad_value(number, user, now_ms), None)
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
            "url": chance.choice([None, f"/shop/{product}?from={number % 7}", "/"]),
            "referrer": f"https://shop.example/n{number}/",
        }
        return Click(number, user.encode(), _encoded(fields), (timestamp, user, product))

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
            ]
        )


def _encoded(fields: Mapping[str, Any]) -> bytes:
    return json.dumps({name: field for name, field in fields.items() if field is not None}).encode()
