"""How a figure of today compares with that of an earlier day by this time. Pure, HTML out."""

from collections.abc import Callable
from decimal import Decimal

from services.dashboard.kit.escaping import in_html
from services.dashboard.kit.wording import grouped


def change(now: Decimal, earlier: Decimal | None, day: str, written: Callable[[Decimal], str]) -> str:
    """`▲ 12 % on yesterday`; the earlier figure where there is no percentage of it; empty without one."""
    if earlier is None:
        return ""
    figure = in_html(written(earlier))
    if earlier <= 0:
        return f"{figure} by now {day}"
    percent = round(100 * (now - earlier) / earlier)
    kind, arrow, word = (
        ("up", "▲", "up") if percent > 0 else ("down", "▼", "down") if percent < 0 else ("level", "±", "changed by")
    )
    return (
        f'<span class="change {kind}" title="{figure} by this time {day}">'
        f'<span aria-hidden="true">{arrow}</span><span class="spoken">{word}</span> {grouped(abs(percent))} %</span> '
        f"on {day}"
    )
