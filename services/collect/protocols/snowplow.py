"""Snowplow's tracker protocol, as its trackers use it. `docs/collector.md` has the fields. Pure."""

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from services.collect.answers import Outcome, error_answer, gravest, status_of
from services.collect.bodies import read_json
from services.collect.clicks import Fields, Mistake
from services.collect.protocols.own import PIXEL
from services.collect.protocols.reading import (
    Received,
    Route,
    bearer,
    instant_ms,
    not_an_object,
    page_of_screen,
    scalar,
    spread,
    text,
)
from services.collect.protocols.sales import Product, product_fields, refunded, sold, whole_number
from services.collect.request import Answer, Rejected, Request
from shared.events.amounts import ORDER_LINE
from shared.events.collected import Refused
from shared.events.refusals import Reason

TP2: Final = "/com.snowplowanalytics.snowplow/tp2"

_OWN_PATH: Final = re.compile(r"/[a-z][a-z0-9_-]*(?:\.[a-z0-9_-]+)+/[A-Za-z0-9][A-Za-z0-9._-]*")
_SCHEMA: Final = re.compile(r"iglu:([\w.-]+)/([\w-]+)/jsonschema/[\d-]+", re.ASCII)

_SNOWPLOW: Final = "com.snowplowanalytics.snowplow"
_ECOMMERCE: Final = f"{_SNOWPLOW}.ecommerce"
_CARTS: Final = ("add_to_cart", "remove_from_cart")
_NO_CLICKS: Final = ("ping_event", "page_ping")

_OK: Final = Answer(200, b"ok", "text/plain; charset=utf-8")


class _SelfDescribing(NamedTuple):
    vendor: str
    name: str
    data: Mapping[str, Any]


def read_posted(request: Request, most: int) -> Received:
    """`POST /com.snowplowanalytics.snowplow/tp2`: a `payload_data` with the events. Raises Rejected."""
    envelope = read_json(request.body)
    if not isinstance(envelope, dict):
        raise Rejected(400, Reason.NOT_AN_OBJECT, f"expected payload_data, got {envelope!r:.80}")
    sent = envelope.get("data")
    if not isinstance(sent, list):
        raise Rejected(400, Reason.WRONG_TYPE, f"expected an array, got {sent!r:.80}", "data")
    events = spread(sent, most, lambda event, left: _events(event, request, left))
    return Received(events, bearer(request), _answer, _hides_address(request))


def read_pixel(request: Request, most: int) -> Received:
    """`GET /i`: one event as parameters."""
    events = _events(request.parameters(), request, most)
    return Received(events, bearer(request), _pixel, _hides_address(request))


def is_path(path: str) -> bool:
    """Whether it is a `postPath` that a site chose for its trackers, such as /com.acme/track."""
    return _OWN_PATH.fullmatch(path) is not None


def refused(rejected: Rejected) -> Answer:
    """The answer to a request that is refused as a whole. Trackers would send it again after a 413."""
    if rejected.status in (413, 415):
        rejected = Rejected(400, rejected.reason, rejected.message, rejected.field)
    return error_answer(rejected)


def _hides_address(request: Request) -> bool:
    """Whether the site asks for it: `anonymousTracking: { withServerAnonymisation: true }`."""
    return "sp-anonymous" in request.headers


def _events(event: object, request: Request, most: int) -> Sequence[Fields | Mistake]:
    """The clicks of one event, at most so many, or what is wrong with it."""
    if not isinstance(event, dict):
        return [not_an_object(event)]
    kind = event.get("e")
    common = _common(event, request)
    if kind == "pv":
        return [common]
    if kind == "pp":
        return [Mistake(Refused.NOT_COUNTED, "e", "a page ping is no click")]
    if kind == "se":
        action = text(event.get("se_ac"))
        return [{**common, "eventType": action}] if action else [_missing("se_ac")]
    if kind == "ue":
        return _self_described(event, common, most)
    if kind == "tr":
        order = {**common, "orderId": event.get("tr_id"), "currency": event.get("tr_cu")}
        return sold(order, (), event.get("tr_tt"), most)
    if kind == "ti":
        # Items come apart from their order, maybe in another request, so its value stays in one piece.
        item = product_fields([Product(event.get("ti_sk"), quantity=event.get("ti_qu"))])
        return [{**common, **item, "eventType": ORDER_LINE, "orderId": event.get("ti_id")}]
    if kind is None:
        return [_missing("e")]
    return [Mistake(Reason.WRONG_TYPE, "e", f"expected pv, pp, se, ue, tr or ti, got {kind!r:.80}")]


def _missing(field: str) -> Mistake:
    return Mistake(Reason.MISSING_FIELD, field, "is required")


def _common(event: Mapping[str, Any], request: Request) -> dict[str, Any]:
    return {
        "timestamp": _happened(event, request.arrived_ms),
        "eventId": event.get("eid"),
        "userId": event.get("uid") or event.get("duid"),
        "ip": text(event.get("ip")),
        "userAgent": text(event.get("ua")),
        "url": text(event.get("url")) or request.headers.get("referer"),
        "referrer": text(event.get("refr")),
        "platform": text(event.get("p")),
    }


def _happened(event: Mapping[str, Any], arrived_ms: int) -> object:
    """When it happened by our clock: Snowplow's derived_tstamp.

    The true timestamp if it has one; else the arrival, less the time that the event waited on the device.
    """
    true = event.get("ttm")
    if true:
        return true if instant_ms(true) is None else instant_ms(true)
    created_ms, sent_ms = instant_ms(event.get("dtm")), instant_ms(event.get("stm"))
    if created_ms is None or sent_ms is None or created_ms >= sent_ms:
        return arrived_ms
    return arrived_ms - (sent_ms - created_ms)


def _self_described(event: Mapping[str, Any], common: dict[str, Any], most: int) -> Sequence[Fields | Mistake]:
    try:
        envelope = _document(event, "ue_pr", "ue_px")
        described = _described(envelope.get("data") if isinstance(envelope, dict) else None)
        if described is None:
            return [Mistake(Reason.WRONG_TYPE, "ue_pr", "expected a self-describing event")]
        if described.vendor == _ECOMMERCE and described.name == "snowplow_ecommerce_action":
            return _ecommerce(described.data, event, common, most)
    except Rejected as rejected:
        return [Mistake(rejected.reason, rejected.field or "", rejected.message)]
    if described.name in _NO_CLICKS:
        return [Mistake(Refused.NOT_COUNTED, "e", "a ping is no click")]
    fields = {**common, "eventType": described.name}
    if described.name in _CARTS:
        data = described.data
        fields |= {"productId": scalar(data.get("sku")), "quantity": whole_number(data.get("quantity"))}
    elif described.name == "screen_view" and not fields["url"]:
        fields["url"] = page_of_screen(described.data.get("name"))
    return [fields]


def _ecommerce(
    action: Mapping[str, Any], event: Mapping[str, Any], common: dict[str, Any], most: int
) -> Sequence[Fields | Mistake]:
    """An event of the ecommerce plugin, whose products and amounts are in its context. Raises Rejected."""
    kind = text(action.get("type"))
    if not kind:
        return [_missing("type")]
    entities = list(_entities(event))
    products = [
        Product(scalar(entity.get("id")), entity.get("price"), entity.get("quantity"))
        for name, entity in entities
        if name == "product"
    ]
    sale = next((entity for name, entity in entities if name == kind), {})
    fields = {**common, "orderId": sale.get("transaction_id"), "currency": sale.get("currency")}
    if kind == "transaction":
        return sold(fields, products, sale.get("revenue"), most)
    if kind == "refund":
        return refunded(fields, products, sale.get("refund_amount"), most)
    return [{**common, "eventType": kind, **product_fields(products)}]


def _entities(event: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The names and contents of the ecommerce entities in the event's context. Raises Rejected."""
    if event.get("co") is None and event.get("cx") is None:
        return
    envelope = _document(event, "co", "cx")
    entities = envelope.get("data") if isinstance(envelope, dict) else None
    for entity in entities if isinstance(entities, list) else ():
        described = _described(entity)
        if described is not None and described.vendor == _ECOMMERCE:
            yield described.name, described.data


def _document(event: Mapping[str, Any], plain: str, packed: str) -> Any:
    """The JSON in one field, or in base64 in another. Raises Rejected, which names the field."""
    written, encoded = text(event.get(plain)), text(event.get(packed))
    field = plain if written else packed
    if not written and not encoded:
        raise Rejected(400, Reason.MISSING_FIELD, f"expected {plain} or {packed}", plain)
    try:
        return read_json(written.encode() if written else _from_base64(encoded or ""))
    except ValueError:
        raise Rejected(400, Reason.WRONG_TYPE, "is not base64 of JSON", field) from None
    except Rejected as rejected:
        raise Rejected(400, rejected.reason, rejected.message, field) from None


def _from_base64(encoded: str) -> bytes:
    """Of the alphabet for URLs, with or without padding. Raises ValueError."""
    bare = encoded.rstrip("=")
    return base64.b64decode(bare + "=" * (-len(bare) % 4), altchars=b"-_", validate=True)


def _described(document: object) -> _SelfDescribing | None:
    if not isinstance(document, dict):
        return None
    schema, data = _SCHEMA.fullmatch(text(document.get("schema")) or ""), document.get("data")
    return None if schema is None else _SelfDescribing(schema[1], schema[2], data if isinstance(data, dict) else {})


def _answer(outcome: Outcome) -> Answer:
    """`ok` only if every event was taken. Trackers send a request again after 429, but not after 400, 401 and 403."""
    if not outcome.mistakes:
        return _OK
    _, mistake = gravest(outcome.mistakes)
    rejected = Rejected(status_of(mistake), mistake.reason, mistake.message, mistake.field)
    return error_answer(rejected, accepted=outcome.accepted)


def _pixel(outcome: Outcome) -> Answer:
    """The image, with the status that trackers look at."""
    return PIXEL._replace(status=_answer(outcome).status)


ROUTES: Final[Mapping[str, Mapping[str, Route]]] = {
    TP2: {"POST": read_posted, "GET": read_pixel},
    "/i": {"GET": read_pixel},
}
