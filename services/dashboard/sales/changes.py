"""How a figure of today compares with that of an earlier day by this time. Pure, HTML out."""

from collections.abc import Callable
from decimal import Decimal

from services.dashboard.kit.cards import change as changes
from services.dashboard.kit.escaping import in_html


def change(now: Decimal, earlier: Decimal | None, day: str, written: Callable[[Decimal], str]) -> str:
    """`▲ 12 % on yesterday`; the earlier figure where there is no percentage of it; empty without one."""
    if earlier is None:
        return ""
    figure = in_html(written(earlier))
    if earlier <= 0:
        return f"{figure} by now {day}"
    return changes.change(round(100 * (now - earlier) / earlier), day, f"{figure} by this time {day}")
