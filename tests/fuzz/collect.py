"""Sends mutated requests through all of collect: `make fuzz`, and a part of it in the tests.

No request may be answered with a 500, each of its events must have exactly one outcome, and enrich must take whatever
was accepted.
"""

import asyncio
import base64
import copy
import gzip
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from random import Random
from threading import Event
from typing import Any, Final
from urllib.parse import quote, urlencode

from services.collect.app import Bounds, CollectApp
from services.collect.appender import Appender
from services.collect.clicks import Click
from services.collect.keeping import Keeping
from services.collect.protocols import ROUTES
from services.collect.rules import Rules
from services.collect.sites import Site, Sites
from services.collect.tally import Tally
from shared.events.limits import Limits
from shared.events.raw import decode_raw
from shared.events.schema import RawEvent
from shared.runtime.dependency import Dependency
from shared.runtime.token_buckets import TokenBuckets
from shared.status.gauges import Gauges
from shared.status.health import Health
from shared.streams.event_log import NewRecord
from tests.fuzz import command
from tests.support import own_loop
from tests.support.fakes.memory_producer import MemoryProducer

_AT_ONCE: Final = 200
_SHOWN_BYTES: Final = 2_000
_KEY: Final = "0123456789abcdef"
_PAGE: Final = "https://www.shop.example/p/shirt?utm_source=news"

_CALL: Final[Mapping[str, Any]] = {
    "type": "track",
    "event": "Order Completed",
    "messageId": "m",
    "anonymousId": "a",
    "userId": "u",
    "timestamp": "2026-11-22T10:30:00Z",
    "context": {"page": {"url": _PAGE, "referrer": ""}, "ip": "203.0.113.7"},
    "properties": {
        "order_id": "1",
        "revenue": 22.9,
        "currency": "EUR",
        "products": [{"product_id": "7", "price": 9.95, "quantity": 2}, {"sku": "8", "price": 3}],
    },
}
"""Of Segment."""
_VIEW: Final[Mapping[str, Any]] = {
    "e": "pv",
    "eid": "00000000-0000-4000-8000-000000000000",
    "url": _PAGE,
    "dtm": "1795000000000",
    "stm": "1795000001000",
    "duid": "d",
    "p": "web",
    "tv": "js-4",
    "aid": "shop",
}
"""Of Snowplow, as the next one."""
_SHOP_SCHEMA: Final = "iglu:com.snowplowanalytics.snowplow.ecommerce/%s/jsonschema/1-0-0"
_TRANSACTION: Final[Mapping[str, Any]] = {
    **_VIEW,
    "e": "ue",
    "ue_pr": json.dumps(
        {"data": {"schema": _SHOP_SCHEMA % "snowplow_ecommerce_action", "data": {"type": "transaction"}}}
    ),
    "co": json.dumps(
        {
            "data": [
                {"schema": _SHOP_SCHEMA % "transaction", "data": {"transaction_id": "1", "revenue": 22.9}},
                {"schema": _SHOP_SCHEMA % "product", "data": {"id": "7", "price": 9.95, "quantity": 2}},
                {"schema": _SHOP_SCHEMA % "product", "data": {"id": "8", "price": 3}},
            ]
        }
    ),
}

_BODIES: Final[Sequence[Any]] = (
    {"url": _PAGE, "referrer": "https://a.example", "eventId": "e", "value": 19.9, "currency": "EUR", "quantity": 2},
    [
        {"url": _PAGE},
        {"eventType": "signup", "site": "shop.example", "productId": 7, "timestamp": "2026-11-22T10:30:00Z"},
    ],
    {
        "n": "Purchase",
        "u": _PAGE,
        "d": "shop.example",
        "r": None,
        "p": {"orderId": "1"},
        "$": {"amount": "19.90", "currency": "EUR"},
        "i": True,
        "v": 9,
    },
    {
        "type": "event",
        "payload": {
            "website": "w",
            "hostname": "shop.example",
            "url": "/p/shirt",
            "referrer": "",
            "title": "Shirt",
            "name": "purchase",
            "data": {"revenue": 19.9, "currency": "EUR"},
            "timestamp": 1_795_000_000,
        },
    },
    {"writeKey": _KEY, "sentAt": "2026-11-22T10:30:01Z", "batch": [_CALL]},
    _CALL,
    {"schema": "iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4", "data": [_VIEW, _TRANSACTION]},
)
_BODIES_OF: Final[Mapping[str, tuple[int, int]]] = {
    "/v1/events": (0, 2), "/api/event": (2, 3), "/api/": (3, 4), "/v1/b": (4, 5), "/v1/": (5, 6),
    "/com.": (6, 7),
}  # fmt: skip
"""Which of them belong to the paths that begin so."""

_HOSTILE: Final[Sequence[Any]] = (
    None,
    True,
    False,
    0,
    -1,
    2**63,
    2**70,
    1e308,
    -0.0,
    0.1,
    "",
    " ",
    "\x00",
    "\ud800",
    "\u202e",
    "x" * 5_000,
    "19.90",
    "1e400",
    "NaN",
    "2026-11-22T10:30:00Z",
    "0000-00-00",
    "//",
    "https://[",
    "javascript:1",
    "http://" + "a" * 300,
    [],
    {},
    [[]],
    [{}],
    {"": ""},
    {"a": {"b": {"c": []}}},
    "🏴‍☠️",
    "%",
    "{",
    '{"a":1}',
    base64.b64encode(b"\xff\xfe").decode(),
    "1970",
)
_HEADERS: Final[Sequence[Mapping[str, bytes]]] = (
    *[{}] * 12,
    {"authorization": b"Bearer " + _KEY.encode()},
    {"authorization": b"Basic " + base64.b64encode(_KEY.encode() + b":")},
    {"authorization": b"Basic \xff"},
    {"origin": b"https://shop.example"},
    {"origin": b"null"},
    {"sec-gpc": b"1"},
    {"user-agent": b"\xff\xfe"},
    {"x-forwarded-for": b"1.2.3.4, , [::1]"},
    {"cookie": b"a=b; clickpulse_opt_out=1"},
    {"content-encoding": b"gzip"},
    {"content-type": b"text/plain"},
    {"content-length": b"-1"},
    {"referer": _PAGE.encode()},
)


class MistreatedRequestError(AssertionError):
    """A request was answered with a 500, or its events were not accounted for."""


def _mutated(random: Random, document: Any) -> Any:
    """The document with some of its values replaced, removed or repeated."""
    document = copy.deepcopy(document)
    for _ in range(random.choice((0, 1, 1, 2, 5))):
        place = document
        while isinstance(place, dict | list) and place:
            key = random.choice(list(place)) if isinstance(place, dict) else random.randrange(len(place))
            if isinstance(place[key], dict | list) and place[key] and random.random() < 0.7:
                place = place[key]
                continue
            if random.random() < 0.15:
                del place[key]
            elif isinstance(place, list) and random.random() < 0.3:
                place.extend(place[:1] * random.choice((1, 50)))
            else:
                place[key] = copy.deepcopy(random.choice(_HOSTILE))
            break
    return document


def _likely(path: str) -> Sequence[Any]:
    """Bodies that a client of this path sends."""
    first, last = next((places for start, places in _BODIES_OF.items() if path.startswith(start)), (0, len(_BODIES)))
    return _BODIES[first:last]


def _body(random: Random, path: str) -> bytes:
    document = _mutated(random, random.choice(_likely(path) if random.random() < 0.8 else _BODIES))
    body = json.dumps(document).encode()
    kind = random.random()
    if kind < 0.1:
        body = b"\n".join(json.dumps(_mutated(random, one)).encode() for one in random.choices(_BODIES, k=3))
    elif kind < 0.15:
        place = random.randrange(len(body) or 1)
        body = body[:place] + random.randbytes(random.randrange(4)) + body[place + random.randrange(3) :]
    elif kind < 0.18:
        body = body[: random.randrange(len(body) or 1)]
    elif kind < 0.2:
        body = b"[" * random.choice((20, 2_000, 100_000))
    elif kind < 0.23:
        body = gzip.compress(body)[: random.choice((None, None, 20))]
    return body


def _query(random: Random) -> bytes:
    flat = _mutated(random, random.choice([_BODIES[0], _VIEW, _TRANSACTION]))
    if not isinstance(flat, dict) or random.random() < 0.1:
        return quote(str(flat), errors="replace").encode()
    return urlencode({name: str(value) for name, value in flat.items()}, errors="replace").encode()


class _Fuzzed:
    """The application, on a log in memory."""

    def __init__(self) -> None:
        self.producer, self.gauges = MemoryProducer(), Gauges()
        ready = Event()
        self.appender = Appender(
            self.producer,
            "click-data",
            lambda clicks: ["visitor"] * len(clicks),
            log=Dependency("log"),
            redis=Dependency("Redis"),
            health=Health("fuzz"),
            on_ready=ready.set,
        )
        everything = TokenBuckets(1e12, 1e12)
        sites = Sites((Site("shop.example", key=_KEY, user_ids=True), Site("other.example")))
        self.app = CollectApp(
            Rules(sites, Limits(), "anonymous", everything, everything),
            self.appender,
            Tally(self.gauges),
            Keeping(1e9, self.gauges, Health("collect")),
            bounds=Bounds(500_000, 100),
            trusted=(),
            raw_topic="click-data",
        )
        self.appender.start()
        ready.wait()

    async def ask(self, random: Random) -> int:
        """Send a random request. Returns the status."""
        path = random.choice(list(ROUTES))
        others = "GET", "POST", "HEAD", "OPTIONS", "DELETE"
        method = random.choice(tuple(ROUTES[path]) if random.random() < 0.9 else others)
        body = _body(random, path) if method == "POST" else b""
        headers = {name: value for chosen in random.choices(_HEADERS, k=2) for name, value in chosen.items()}
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "client": ("203.0.113.7", 1),
            "query_string": _query(random),
            "headers": [(name.encode(), value) for name, value in headers.items()],
        }
        statuses: list[int] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Mapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        await self.app(scope, receive, send)
        (status,) = statuses
        if status >= 500:
            raise MistreatedRequestError(f"{status} for {scope!r:.{_SHOWN_BYTES}} {body!r:.{_SHOWN_BYTES}}")
        return status


def fuzz(seed: int, requests: int) -> Counter[int]:
    """Send requests of the seed. Counts the statuses. Raises MistreatedRequestError."""
    fuzzed = _Fuzzed()
    statuses: Counter[int] = Counter()

    async def run() -> None:
        for start in range(0, requests, _AT_ONCE):
            random = Random(f"{seed}-{start}")
            here = min(_AT_ONCE, requests - start)
            statuses.update(await asyncio.gather(*[fuzzed.ask(random) for _ in range(here)]))
            _check(fuzzed.producer.records, fuzzed.gauges)
            fuzzed.producer.records.clear()

    try:
        own_loop.run(run())
    finally:
        fuzzed.appender.stop()
    return statuses


def _check(records: Sequence[NewRecord], gauges: Gauges) -> None:
    for record in records:
        if record.topic != "click-data":
            continue
        event = decode_raw(record.value)
        if not isinstance(event, RawEvent):
            raise MistreatedRequestError(f"accepted, but enrich says {event}: {record.value!r:.{_SHOWN_BYTES}}")
        for name in Click.__struct_fields__:
            if name != "userId" and isinstance(getattr(event, name), str):
                getattr(event, name).encode()
    collected = gauges.collected
    assert collected is not None
    if collected.waiting or collected.received != sum(collected.outcomes.values()):
        raise MistreatedRequestError(f"not accounted for: {collected}")


if __name__ == "__main__":
    sys.exit(command.main("collect", __doc__, "requests", fuzz))
