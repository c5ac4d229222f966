"""What an event with a value counts as, and which of the events of one order counts. Pure."""

from collections.abc import Iterable
from decimal import Decimal
from hashlib import blake2b
from typing import Final, Literal

from shared.events.amounts import MILLION, ORDER_LINE, REFUND_LINE

Sale = Literal["order", "refund", "order_line", "refund_line"]
"""The type `sale` of the tables."""

_LINE_TYPES: Final = (ORDER_LINE, REFUND_LINE)
_HALF: Final = 1 << 62


def sale_of(value: Decimal, event_type: str) -> Sale:
    """What an event with this value and type counts as, unless another one of its order counts."""
    if event_type in _LINE_TYPES:
        return "refund_line" if value < 0 else "order_line"
    return "refund" if value < 0 else "order"


def order_digest(order_id: str, value: Decimal) -> int:
    """64 bits that stand for what may not repeat among the sales of a visitor: an order, or a refund by this amount."""
    return _bits(f"{int(min(value, Decimal(0)) * MILLION)}:{order_id}")


def tie_of(fields: Iterable[object], sale: Sale) -> int:
    """Which of the events of an order at one instant counts: that with the smallest number, and no further line.

    It goes by the fields alone, so that the order of arrival does not matter.
    """
    number = _bits("\0".join(map(str, fields))) >> 1  # ±2⁶²
    return number + _HALF if sale in ("order_line", "refund_line") else number - _HALF


def _bits(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), signed=True)
