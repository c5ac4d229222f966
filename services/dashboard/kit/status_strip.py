"""The status strip: how far the numbers below it can be trusted, and why. Pure, HTML out."""

from collections.abc import Iterable

from services.dashboard.kit.escaping import in_html
from services.dashboard.kit.time_zones import UTC_CLOCK, Clock
from services.dashboard.kit.wording import ago, duration


def status_strip(standing: str, name: str, reason_html: str, facts: Iterable[tuple[str, str, str]] = ()) -> str:
    """The strip: a standing that the stylesheet knows, its name, the reason, and facts as (label, HTML, CSS class)."""
    listed = "".join(f'<span class="fact {kind}"><span>{label}</span> {value}</span>' for label, value, kind in facts)
    return (
        f'<div class="strip" role="region" aria-label="Status of the numbers" data-standing="{standing}">'
        f'<div><strong><i aria-hidden="true"></i>{name}</strong>'
        f'<p class="reason">{reason_html}</p></div><div class="facts">{listed}</div></div>'
    )


def unreachable_strip(
    address: str,
    since_ms: int,
    reason: str,
    now_ms: int,
    of_ms: int | None,
    clock: Clock = UTC_CLOCK,
    *,
    is_refused: bool = False,
    what: str = "Redis",
) -> str:
    """The strip while `what` does not answer, or refuses to. The numbers are from `of_ms`; None: there are none."""
    lasting = duration(max(0, now_ms - since_ms) / 1000)
    answer = "has answered with errors" if is_refused else "has not answered"
    return status_strip(
        "unreachable",
        f"{what} refuses to answer" if is_refused else f"{what} unreachable",
        f"{in_html(address)} {answer} since {when(since_ms, clock)} ({lasting}). The page retries at every "
        f'refresh and recovers by itself.{_numbers(of_ms, clock)} <span class="detail">{in_html(reason)}</span>',
    )


def malformed_strip(since_ms: int, reason: str, of_ms: int | None, clock: Clock = UTC_CLOCK) -> str:
    """The strip while a key cannot be read; `of_ms` as in `unreachable_strip`."""
    return status_strip(
        "malformed",
        "Unreadable numbers",
        f"Redis has held data that this dashboard cannot read since {when(since_ms, clock)}.{_numbers(of_ms, clock)} "
        f'<span class="detail">{in_html(reason, 300)}</span>',
    )


def age(seconds: float) -> str:
    """`5 s ago`, which the browser keeps up to date (`standing.js`)."""
    return f'<span data-age-s="{max(0.0, seconds):.1f}">{ago(max(0.0, seconds))}</span>'


def when(timestamp_ms: int, clock: Clock) -> str:
    """A time with its zone, and UTC in its tooltip."""
    return clock.in_html(timestamp_ms, clock.named_time(timestamp_ms))


def _numbers(of_ms: int | None, clock: Clock) -> str:
    return f" The numbers below are from {when(of_ms, clock)}." if of_ms is not None else ""
