"""Google Analytics 4 as it is in BigQuery, one event a line of JSON.

    {"event_timestamp": "1606780800000000", "event_name": "view_item", "user_pseudo_id": "1.2",
     "event_params": [{"key": "page_location", "value": {"string_value": "https://shop.example/"}}],
     "items": [{"item_id": "SKU-1"}]}

A visitor is a `user_pseudo_id`, which is a browser. An event about several items, such as a list, shows none of them as
a product. The tables hold no addresses and no user agents. By default the events that GA4 adds to each page by itself
are skipped: they are no views. A purchase carries its revenue, in the currency of the event, and a refund the negative
amount; the value of other events, such as of a view, is a price.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from services.traffic.formats.entries import Entry, Skip, SkipReason, read_line_by_line
from services.traffic.formats.lines import Line
from shared.events.refusals import UNDECODABLE, Reason, Refusal, explain

GA4_NAMES: Final = frozenset({"event_timestamp", "event_name", "user_pseudo_id"})
"""The fields of every event, which prove the layout."""
AUTOMATIC: Final = ("session_start", "first_visit", "first_open", "user_engagement", "scroll")
"""Events of GA4 itself, beside the `page_view` or `screen_view` of the same page."""
_SALES: Final = ("purchase", "in_app_purchase", "ecommerce_purchase")
_REFUNDS: Final = ("refund", "ecommerce_refund")
_NOT_SET: Final = ("", "(not set)")
_NUMBER: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_NULL: Final = msgspec.Raw(b"null")


class _Value(msgspec.Struct):
    string_value: str | None = None
    int_value: msgspec.Raw = _NULL
    double_value: msgspec.Raw = _NULL  # as it was written: a float would round it


class _Ecommerce(msgspec.Struct):
    purchase_revenue: msgspec.Raw = _NULL
    refund_value: msgspec.Raw = _NULL
    total_item_quantity: int | float | str | None = None
    transaction_id: str | int | None = None


class _Parameter(msgspec.Struct):
    key: str
    value: _Value | None = None


class _Item(msgspec.Struct):
    item_id: str | int | None = None


class _Event(msgspec.Struct):
    event_timestamp: int | float | str | None = None  # µs; BigQuery writes 64-bit numbers as text
    event_name: str | None = None
    user_pseudo_id: str | int | float | None = None
    event_params: list[_Parameter] | None = None
    items: list[_Item] | None = None
    ecommerce: _Ecommerce | None = None
    platform: str | None = None  # WEB, IOS or ANDROID

    def number(self, name: str) -> str | None:
        """A numeric parameter, digit by digit."""
        for found in self.event_params or ():
            if found.key == name and found.value is not None:
                return _digits(found.value.double_value) or _digits(found.value.int_value)
        return None

    def parameter(self, name: str) -> str | None:
        values = (found.value for found in self.event_params or () if found.key == name)
        return next((value.string_value for value in values if value is not None), None)


_decode: Final = msgspec.json.Decoder(_Event).decode
_encode: Final = msgspec.json.Encoder().encode


def read_ga4(lines: Iterable[Line], *, takes_all: bool) -> Iterator[Entry]:
    """The events of an export; with `takes_all`, also those that GA4 adds by itself."""
    return read_line_by_line(lines, lambda line: click_of(line, takes_all=takes_all))


def click_of(line: bytes, *, takes_all: bool) -> bytes | Refusal | Skip:
    """The `click-data` document of one event."""
    try:
        event = _decode(line)
    except UNDECODABLE as error:
        why = explain(line, error)
        # It knows only our own fields.
        return Refusal(Reason.WRONG_TYPE, str(error)) if why.reason is Reason.MISSING_FIELD else why
    if event.event_name in AUTOMATIC and not takes_all:
        return Skip(SkipReason.AUTOMATIC, event.event_name)
    if not event.event_timestamp:
        return Refusal(Reason.MISSING_FIELD, "event_timestamp is required")
    if not event.user_pseudo_id:
        return Refusal(Reason.MISSING_FIELD, "user_pseudo_id is absent, as it is without the visitor's consent")
    items = event.items or []
    found: dict[str, object] = {
        "timestamp": event.event_timestamp,
        "userId": str(event.user_pseudo_id),
        "eventType": event.event_name,
        "productId": items[0].item_id if len(items) == 1 else None,
        "url": event.parameter("page_location"),
        "referrer": event.parameter("page_referrer"),
    }
    if event.event_name in _SALES or event.event_name in _REFUNDS:
        found |= _sale_of(event, is_refund=event.event_name in _REFUNDS)
    return _encode({name: value for name, value in found.items() if value is not None and value not in _NOT_SET})


def _sale_of(event: _Event, *, is_refund: bool) -> dict[str, object]:
    """The money of an order, or of a refund, which GA4 writes without a sign. Other events repeat prices."""
    order = event.ecommerce or _Ecommerce()
    amount = _digits(order.refund_value if is_refund else order.purchase_revenue) or event.number("value")
    if is_refund and amount is not None:
        amount = f"-{amount.lstrip('-')}"
    return {
        "value": amount,
        "currency": event.parameter("currency"),
        "quantity": _whole(order.total_item_quantity),
        "orderId": order.transaction_id or event.parameter("transaction_id"),
        "platform": event.platform.lower() if event.platform else None,
    }


def _digits(token: msgspec.Raw) -> str | None:
    """A number, or text that holds one, as it is written; None for null and for anything else."""
    text = bytes(token).decode("utf-8", "replace").strip('" ')
    return text if _NUMBER.fullmatch(text) else None


def _whole(quantity: float | str | None) -> int | None:
    return int(quantity) if isinstance(quantity, int) or (isinstance(quantity, str) and quantity.isdigit()) else None
