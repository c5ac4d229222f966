"""The last minutes of a metric as a small curve. Pure, HTML out."""

from collections.abc import Callable, Iterable
from typing import Final

from services.dashboard.kit.cards import sparkline
from services.dashboard.kit.wording import span
from services.dashboard.sources.watch import SLOT_MS, SLOTS, Curve
from shared.events.time_units import MINUTE_MS

_LONGEST_GAP: Final = MINUTE_MS // SLOT_MS
"""Slots. Points before a longer gap are left out, because the values between are unknown."""


def draw(curve: Curve, now_ms: int, name: str, in_words: Callable[[float], str], *, least_top: float = 1) -> str:
    """The curve of `name` from its first point to now; empty with fewer than two points.

    It fills its width from the start, so its label says how many of the five minutes it shows.
    """
    now = now_ms // SLOT_MS
    slots: list[int] = []
    for slot in sorted((slot for slot in curve if now - SLOTS < slot <= now), reverse=True):
        if slots and slots[-1] - slot > _LONGEST_GAP:
            break
        slots.append(slot)
    slots.reverse()
    if len(slots) < sparkline.FEWEST_POINTS:
        return ""
    values = [curve[slot] for slot in slots]
    places = now - slots[0] + 1
    label = f"{name}, last {span(places * SLOT_MS / 1000)}: {in_words(min(values))} to {in_words(max(values))}"
    at = [slot - slots[0] for slot in slots]
    return sparkline.draw(values, label, at=at, places=places, least_top=least_top)


def summed(curves: Iterable[Curve]) -> Curve:
    """The sum of several replicas' curves, slot by slot."""
    sums: dict[int, float] = {}
    for curve in curves:
        for slot, value in curve.items():
            sums[slot] = sums.get(slot, 0.0) + value
    return sums
