"""Which events of a recording are sales: shops write the price on views of a product, too. Pure."""

import re
from collections.abc import Collection
from typing import Final

import msgspec

from services.traffic.formats.whole_numbers import MISSING

SALE_FIELDS: Final = frozenset({"value", "currency", "quantity", "orderId", "cost"})
_QUANTITY: Final = re.compile(r"[0-9]{1,15}(\.[0-9]{1,15})?")
_NUMBERS: Final = ("value", "quantity", "cost")
_UNDECODABLE: Final = (msgspec.DecodeError, UnicodeDecodeError)


def without_others_sales(event: dict[str, object], sales: Collection[str]) -> None:
    """Drop the fields of a sale from an event of another type than these; from none if `sales` is empty."""
    if sales and _text(event.get("eventType")) not in sales:
        for name in SALE_FIELDS:
            event.pop(name, None)


def without_missing_numbers(event: dict[str, object]) -> None:
    """Drop what a CSV writes for no number, such as `NULL`, and make a quantity a number."""
    for name in _NUMBERS:
        if event.get(name) in MISSING:
            event.pop(name, None)
    quantity = event.get("quantity")
    if isinstance(quantity, str) and _QUANTITY.fullmatch(quantity):
        event["quantity"] = float(quantity) if "." in quantity else int(quantity)


def _text(event_type: object) -> object:
    try:
        return msgspec.json.decode(event_type) if isinstance(event_type, msgspec.Raw) else event_type
    except _UNDECODABLE:
        return None
