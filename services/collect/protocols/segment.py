"""Segment's HTTP API, as its SDKs use it. `docs/collector.md` has the fields. Pure."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import msgspec

from services.collect.answers import Outcome, gravest, status_of
from services.collect.bodies import check_number, read_json
from services.collect.clicks import Fields, Mistake
from services.collect.protocols.commerce import event_type_of
from services.collect.protocols.reading import (
    Received,
    Route,
    basic_user,
    instant_ms,
    not_an_object,
    page_of_screen,
    scalar,
    spread,
    text,
)
from services.collect.protocols.sales import PURCHASE, REFUND, Product, product_fields, refunded, sold
from services.collect.request import Answer, Rejected, Request
from shared.events.collected import Refused
from shared.events.refusals import Reason

MOST_EVENT_BYTES: Final = 32 << 10
MOST_BATCH_BYTES: Final = 500 << 10

_NO_SALES: Final = (
    "product_view",
    "add_to_cart",
    "remove_from_cart",
    "begin_checkout",
    "Order Updated",
    "Order Cancelled",
)
"""Types of events whose `revenue` is what an order is, was or may become worth, and not a sale."""

_NO_CLICKS: Final = ("identify", "group", "alias")
_SUCCESS: Final = Answer(200, b'{"success":true}')
_encode: Final = msgspec.json.Encoder().encode


class _Sizes(msgspec.Struct):
    batch: list[msgspec.Raw]


_decode_sizes: Final = msgspec.json.Decoder(_Sizes).decode


def read_one(kind: str, request: Request, most: int) -> Received:
    """`POST /v1/track` and the like: one call of the kind. Raises Rejected."""
    call = _object(request)
    events = _events(call, kind, len(request.body), {}, request.arrived_ms, most)
    return Received(events, _key(request, call), _answer)


def read_batch(request: Request, most: int) -> Received:
    """`POST /v1/batch`: calls of any kind, with one `sentAt` for all. Raises Rejected."""
    if len(request.body) > MOST_BATCH_BYTES:
        raise Rejected(400, Reason.TOO_LARGE, f"the batch has more than {MOST_BATCH_BYTES} bytes", "batch")
    shared = _object(request)
    calls = shared.get("batch")
    if not isinstance(calls, list):
        raise Rejected(400, Reason.WRONG_TYPE, f"expected an array, got {calls!r:.80}", "batch")
    check_number(len(calls), most)

    def read(sized: tuple[Any, int], left: int) -> Sequence[Fields | Mistake]:
        call, size = sized
        kind = call.get("type") if isinstance(call, dict) else None
        return _events(call, kind, size, shared, request.arrived_ms, left)

    return Received(spread(_sized(calls, request.body), most, read), _key(request, shared), _answer)


def read_metrics(_: Request, __: int) -> Received:
    """`POST /v1/m`: what an SDK measured of itself."""
    return Received([], answer=_answer)


def refused(rejected: Rejected) -> Answer:
    """The answer to a request that is refused as a whole: 400 where Segment says so."""
    status = 400 if rejected.status in (413, 415) else rejected.status
    return Answer(status, _encode(_failure(rejected.reason, rejected.field, rejected.message)))


def _object(request: Request) -> dict[str, Any]:
    document = read_json(request.body)
    if not isinstance(document, dict):
        raise Rejected(400, Reason.NOT_AN_OBJECT, f"expected an object, got {document!r:.80}")
    return document


def _sized(calls: list[Any], body: bytes) -> Sequence[tuple[Any, int]]:
    """Each call with its size in bytes, as it was sent."""
    if len(body) <= MOST_EVENT_BYTES:
        return [(call, 0) for call in calls]
    try:
        return list(zip(calls, map(len, _decode_sizes(body).batch), strict=True))
    except msgspec.DecodeError:
        raise Rejected(400, Reason.WRONG_TYPE, "is there twice", "batch") from None


def _key(request: Request, call: Mapping[str, Any]) -> str | None:
    return basic_user(request) or text(call.get("writeKey")) or None


def _events(
    call: object, kind: object, size: int, shared: Mapping[str, Any], arrived_ms: int, most: int
) -> Sequence[Fields | Mistake]:
    """The clicks of one call, at most so many, or what is wrong with it."""
    if not isinstance(call, dict):
        return [not_an_object(call)]
    if size > MOST_EVENT_BYTES:
        return [Mistake(Reason.TOO_LARGE, "", f"the event has {size} bytes, more than {MOST_EVENT_BYTES}")]
    read = _KINDS.get(kind) if isinstance(kind, str) else None
    if read is not None:
        return read(call, _common(call, shared, arrived_ms), most)
    if kind is None:
        return [Mistake(Reason.MISSING_FIELD, "type", "expected track, page, screen, identify, group or alias")]
    if kind in _NO_CLICKS:
        return [Mistake(Refused.NOT_COUNTED, "type", f"{kind} is no click")]
    return [Mistake(Reason.WRONG_TYPE, "type", f"expected track, page, screen and so on, got {kind!r:.80}")]


def _common(call: Mapping[str, Any], shared: Mapping[str, Any], arrived_ms: int) -> dict[str, Any]:
    context = {**_dict(shared.get("context")), **_dict(call.get("context"))}
    page = _dict(context.get("page"))
    return {
        "timestamp": _happened(call, shared, arrived_ms),
        "eventId": call.get("messageId"),
        "userId": call.get("userId") or call.get("anonymousId"),
        "ip": text(context.get("ip")),
        "userAgent": text(context.get("userAgent")),
        "url": text(page.get("url")),
        "referrer": text(page.get("referrer")),
    }


def _happened(call: Mapping[str, Any], shared: Mapping[str, Any], arrived_ms: int) -> object:
    """When it happened by our clock: Segment's receivedAt − (sentAt − originalTimestamp)."""
    original = call.get("originalTimestamp") or call.get("timestamp")
    original_ms = instant_ms(original)
    sent_ms = instant_ms(call.get("sentAt") or shared.get("sentAt"))
    if original_ms is None or sent_ms is None:
        return original
    return arrived_ms - (sent_ms - original_ms)


def _page(call: Mapping[str, Any], common: dict[str, Any], _: int) -> list[Fields]:
    properties = _dict(call.get("properties"))
    url, referrer = text(properties.get("url")), text(properties.get("referrer"))
    return [{**common, "url": url or common["url"], "referrer": referrer or common["referrer"]}]


def _screen(call: Mapping[str, Any], common: dict[str, Any], _: int) -> list[Fields]:
    """A screen of an app."""
    page = common["url"] or page_of_screen(call.get("name"))
    return [{**common, "eventType": "screen_view", "url": page}]


def _track(call: Mapping[str, Any], common: dict[str, Any], most: int) -> Sequence[Fields | Mistake]:
    event = text(call.get("event"))
    if not event or not event.strip():
        return [Mistake(Reason.MISSING_FIELD, "event", "expected the event's name")]
    properties, event_type = _dict(call.get("properties")), event_type_of(event)
    listed = properties.get("products")
    products = [_product(_dict(product)) for product in listed] if isinstance(listed, list) else []
    fields = {**common, "orderId": properties.get("order_id")}
    if event_type == PURCHASE:
        value = _first(properties, "revenue", "total", "value")
        return sold(fields | {"currency": properties.get("currency")}, products, value, most)
    if event_type == REFUND:
        value = _first(properties, "total", "revenue", "value")
        return refunded(fields | {"currency": properties.get("currency")}, products, value, most)
    fields |= {"eventType": event_type}
    own = _product(properties)
    fields |= product_fields(products) if own.product_id is None else product_fields([own])
    revenue = _first(properties, "revenue")
    if revenue is not None and event_type not in _NO_SALES:
        fields |= {"value": revenue, "currency": properties.get("currency")}
    return [fields]


def _product(properties: Mapping[str, Any]) -> Product:
    return Product(
        scalar(_first(properties, "product_id", "productId", "sku")),
        _first(properties, "price"),
        _first(properties, "quantity"),
    )


def _first(properties: Mapping[str, Any], *names: str) -> Any:
    """The first of these properties that is there."""
    return next((value for name in names if (value := properties.get(name)) not in (None, "")), None)


def _dict(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _failure(reason: str, field: str | None, message: str, accepted: int = 0) -> dict[str, Any]:
    return {"success": False, "code": str(reason), "message": message, "field": field or None, "accepted": accepted}


def _answer(outcome: Outcome) -> Answer:
    """Success only if every call was taken. SDKs send a batch again after 429, never after another 4xx."""
    if not outcome.mistakes:
        return _SUCCESS
    place, mistake = gravest(outcome.mistakes)
    message = f"event {place}: {mistake.message}" if place or outcome.accepted else mistake.message
    return Answer(status_of(mistake), _encode(_failure(mistake.reason, mistake.field, message, outcome.accepted)))


_KINDS: Final[Mapping[str, Callable[[Mapping[str, Any], dict[str, Any], int], Sequence[Fields | Mistake]]]] = {
    "track": _track,
    "page": _page,
    "screen": _screen,
}
"""How each kind of call that is a click is read."""

ROUTES: Final[Mapping[str, Mapping[str, Route]]] = {
    **{
        path: {"POST": partial(read_one, kind)}
        for kind in (*_KINDS, *_NO_CLICKS)
        for path in (f"/v1/{kind}", f"/v1/{kind[0]}")  # SDKs for browsers send to the short ones
    },
    "/v1/batch": {"POST": read_batch},
    "/v1/b": {"POST": read_batch},
    "/v1/m": {"POST": read_metrics},
}
