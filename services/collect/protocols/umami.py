"""Umami's protocol, as its tracker and its clients for servers use it. `docs/collector.md` has its fields. Pure."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urljoin
from uuid import UUID

import msgspec

from services.collect.answers import MOST_LISTED, Outcome, gravest, status_of
from services.collect.bodies import check_number, read_json
from services.collect.clicks import Fields, Mistake
from services.collect.protocols.commerce import commerce_of, event_type_of
from services.collect.protocols.reading import Received, Route, bearer, not_an_object, text
from services.collect.request import Answer, Rejected, Request
from shared.events.collected import Refused
from shared.events.hosts import site_name
from shared.events.refusals import Reason

_NO_KEYS: Final = (None, "", "None", "null", "undefined")  # what clients without a login write
_NO_CLICKS: Final = ("identify", "performance")

_CACHE: Final = "clickpulse"
_NOBODY: Final = str(UUID(int=0))
_ANSWER: Final = {"cache": _CACHE, "sessionId": _NOBODY, "visitId": _NOBODY}
"""Clients send `cache` back and look at nothing else; no answer says anything about a visitor."""

_THEIR_NAMES: Final = {
    "eventType": "name",
    "userId": "id",
    "site": "website",
    "value": "data.revenue",
    "currency": "data.currency",
    "productId": "data",
    "orderId": "data",
    "quantity": "data",
}

_encode: Final = msgspec.json.Encoder().encode


def read_sent(request: Request, _: int) -> Received:
    """`POST /api/send`: one message."""
    try:
        event = _event(read_json(request.body))
    except Rejected as rejected:
        event = Mistake(rejected.reason, "", str(rejected))
    return Received([event], _key(request), _sent)


def read_batch(request: Request, most: int) -> Received:
    """`POST /api/batch`: an array of messages. Raises Rejected when there are too many."""
    try:
        messages = read_json(request.body)
    except Rejected as rejected:
        return Received([Mistake(rejected.reason, "", str(rejected))], _key(request), _batch)
    if not isinstance(messages, list):
        return Received([Mistake(Reason.WRONG_TYPE, "", "expected an array")], _key(request), _batch)
    check_number(len(messages), most)
    return Received([_event(message) for message in messages], _key(request), _batch)


def _key(request: Request) -> str | None:
    key = bearer(request)
    return None if key in _NO_KEYS else key


def _event(message: object) -> Fields | Mistake:
    if not isinstance(message, dict):
        return not_an_object(message)
    kind, payload = message.get("type"), message.get("payload")
    if kind in _NO_CLICKS:
        return Mistake(Refused.NOT_COUNTED, "type", f"{kind} is no click")
    if kind != "event":
        return Mistake(Reason.WRONG_TYPE, "type", f"expected event, identify or performance, got {kind!r:.80}")
    if not isinstance(payload, dict):
        return Mistake(Reason.WRONG_TYPE, "payload", f"expected an object, got {payload!r:.80}")
    name, host = payload.get("name"), _host(payload, "hostname")
    named = text(name)
    return {
        **commerce_of(payload.get("data")),
        **_sale(payload.get("data")),
        "eventType": name if named is None else event_type_of(named),
        "url": _absolute(payload.get("url"), host),
        "referrer": _absolute(payload.get("referrer"), host),
        "site": tuple(filter(None, (host, _host(payload, "website")))),
        "timestamp": payload.get("timestamp"),
        "userId": payload.get("id"),
        "ip": payload.get("ip"),
        "userAgent": payload.get("userAgent"),
    }


def _host(payload: Mapping[str, Any], name: str) -> str | None:
    return site_name(text(payload.get(name)) or "")


def _sale(data: object) -> dict[str, Any]:
    if not isinstance(data, dict) or data.get("revenue") is None:
        return {}
    return {"value": data["revenue"], "currency": data.get("currency")}


def _absolute(url: object, host: str | None) -> object:
    """The address of a page of the host, of which servers may know no more than the path."""
    path = text(url)
    if not path or host is None:
        return url
    try:
        return urljoin(f"https://{host}/", path)
    except ValueError:
        return url


def _sent(outcome: Outcome) -> Answer:
    if not outcome.mistakes:
        return Answer(200, _encode(_ANSWER))
    _, mistake = outcome.mistakes[0]
    return Answer(status_of(mistake), _encode(_error(mistake)))


def _batch(outcome: Outcome) -> Answer:
    """200 with what is wrong with which message; 4xx when all of them are refused."""
    mistakes, size = outcome.mistakes, outcome.accepted + len(outcome.refused)
    said = {
        "size": size,
        "processed": size - len(mistakes),
        "errors": len(mistakes),
        "details": [{"index": place, "response": _error(mistake)} for place, mistake in mistakes[:MOST_LISTED]],
        "cache": _CACHE,
    }
    status = status_of(gravest(mistakes)[1]) if mistakes and len(mistakes) == size else 200
    return Answer(status, _encode(said))


def _error(mistake: Mistake) -> dict[str, Any]:
    field = _THEIR_NAMES.get(mistake.field, mistake.field)
    message = f"{field}: {mistake.message}" if field else mistake.message
    return {"error": {"message": message, "code": mistake.reason, "status": status_of(mistake), "field": field}}


ROUTES: Final[Mapping[str, Mapping[str, Route]]] = {
    "/api/send": {"POST": read_sent},
    "/api/batch": {"POST": read_batch},
}
