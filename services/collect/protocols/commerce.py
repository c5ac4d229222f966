"""What shops call things, in our words: names of events and of properties. Pure.

Plausible and Umami leave both to the site, so these are names that shops and their plugins use, and those of both
versions of Segment's ecommerce specification.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from shared.events.schema import DEFAULT_EVENT_TYPE

_LONGEST_NAME: Final = 64  # characters; nobody shall make us take half a megabyte apart
_NO_WORD: Final = re.compile(r"[\W_]+")
_PLUGINS: Final = re.compile(r"\A(?:woo|woocommerce|edd) ")

EVENT_TYPES: Final[Mapping[str, tuple[str, ...]]] = {
    DEFAULT_EVENT_TYPE: ("pageview", "page view"),
    "purchase": ("purchase", "complete purchase", "order completed", "completed order"),
    "refund": ("refund", "order refunded", "refunded order"),
    "product_view": ("product viewed", "viewed product"),
    "add_to_cart": ("add to cart", "product added", "added product"),
    "remove_from_cart": ("remove from cart", "product removed", "removed product"),
    "begin_checkout": ("begin checkout", "start checkout", "checkout started", "started order"),
    "outbound_link": ("outbound link click",),
    "download": ("file download",),
}
"""Our types, and the names that mean them, however their words are capitalised and joined."""

PROPERTIES: Final[Mapping[str, tuple[str, ...]]] = {
    "productId": ("productid", "sku", "itemid"),
    "orderId": ("orderid", "transactionid"),
    "quantity": ("quantity", "qty"),
}
"""Our fields, and the properties that mean them, the first that is there winning; without marks between their words."""

_TYPE_OF: Final = {name: event_type for event_type, names in EVENT_TYPES.items() for name in names}


def event_type_of(name: str) -> str:
    """Our type for the name of an event, or the name itself.

    >>> event_type_of("Woo Add to Cart"), event_type_of("addToCart"), event_type_of("Signup")
    ('add_to_cart', 'addToCart', 'Signup')
    """
    if len(name) > _LONGEST_NAME:
        return name
    words = _PLUGINS.sub("", _NO_WORD.sub(" ", name.lower()).strip())
    return _TYPE_OF.get(words, name)


def commerce_of(properties: object) -> dict[str, Any]:
    """The fields of a sale that a site's own properties hold. Those that cannot be read are not there.

    >>> commerce_of({"Product ID": 7, "qty": "2", "colour": "red"})
    {'productId': 7, 'quantity': '2'}
    """
    if not isinstance(properties, dict):
        return {}
    found: dict[str, Any] = {}
    for name, value in properties.items():
        if isinstance(value, str | int) and not isinstance(value, bool) and value != "":
            found.setdefault(_NO_WORD.sub("", name[:_LONGEST_NAME].lower()), value)
    fields = {ours: found[name] for ours, names in PROPERTIES.items() for name in reversed(names) if name in found}
    if "quantity" in fields and not _is_number(fields["quantity"]):
        del fields["quantity"]
    return fields


def _is_number(value: str | int) -> bool:
    try:
        float(value)
    except (ValueError, OverflowError):
        return False
    return True
