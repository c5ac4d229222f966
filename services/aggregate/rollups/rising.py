"""Which names rise: how far the events of a short span exceed what a longer one before it predicts. Pure."""

from typing import Final

import numpy as np
import numpy.typing as npt

from services.aggregate.columns.arrays import Array, Ints
from services.aggregate.engine.minute_counts import BASE, RECENT, SPANS
from shared.events.time_units import MINUTE_SECONDS
from shared.rollups.model import RISING_COVERED_SECONDS, RISING_LEAST_EVENTS

LEAST_SCORE: Final = 3.0
"""Standard deviations: chance gives one name in 740 that much. A score below is not shown."""
assert (SPANS[BASE][0] + 1) * MINUTE_SECONDS == RISING_COVERED_SECONDS

_RECENT_MINUTES, _BASE_MINUTES = (SPANS[span][0] - SPANS[span][1] for span in (RECENT, BASE))
RATIO: Final = _RECENT_MINUTES / _BASE_MINUTES


def candidates(recent: Array, base: Array) -> Ints:
    """The places with RISING_LEAST_EVENTS, and more than expected."""
    places = np.flatnonzero(recent >= RISING_LEAST_EVENTS)  # few, so that the rest costs nothing
    recent, base = recent[places].astype(np.int64), base[places].astype(np.int64)
    exceeds = recent * _BASE_MINUTES > base * _RECENT_MINUTES
    return places[exceeds]


def scores(recent: Array, base: Array) -> npt.NDArray[np.float64]:
    """The significance of an excess, in standard deviations: 0 where the rates are equal, and greater with each event.

    The signed root of the likelihood ratio of two Poisson counts, n `recent` and b `base`, of spans whose lengths are
    as a to 1: √2 · √(n ln((1 + a)/a · n/(n + b)) + b ln((1 + a) · b/(n + b))).
    Equation 17 of Li and Ma, "Analysis methods for results in gamma-ray astronomy", Astrophysical Journal 272 (1983).
    The base need not be known exactly, and may be 0. Only for places where `recent` exceeds what is expected.
    """
    n, b = recent.astype(np.float64), base.astype(np.float64)
    both = n + b
    excess = n * np.log((1 + RATIO) / RATIO * (n / both))
    base_part = np.where(b > 0, b * np.log(np.maximum((1 + RATIO) * (b / both), np.finfo(np.float64).tiny)), 0.0)
    score: npt.NDArray[np.float64] = np.sqrt(2.0 * np.maximum(excess + base_part, 0.0))
    return score
