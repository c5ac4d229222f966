"""A small curve without axes, in HTML and CSS alone. Pure.

`st.html` drops SVG, and a Plotly chart is too expensive for a few dozen pixels. So the curve is two elements cut out by
`clip-path`, which stretch with their card and use the theme's colours.
"""

from collections.abc import Sequence
from typing import Final

from services.dashboard.kit.escaping import in_html

FEWEST_POINTS: Final = 2
_FLOOR_PERCENT: Final = 94.0  # of the height, from the top: the place of zero, so that its line is not cut off
_RISE_PERCENT: Final = 88.0
_LINE: Final = "1.6px"


def draw(counts: Sequence[float], label: str, *, at: Sequence[int] = (), places: int = 0, least_top: float = 1) -> str:
    """The curve of at least FEWEST_POINTS `counts`, from zero to their maximum; `label` is for screen readers.

    The width has `places`, and `at` gives the place of each count from 0; without them the counts fill the width. The
    top is at least `least_top`, so that noise near zero does not look like a peak.
    """
    assert len(counts) >= FEWEST_POINTS
    top = max(least_top, *counts) or 1
    last = (places or len(counts)) - 1
    points = [
        (f"{100 * place / last:.1f}%", f"{_FLOOR_PERCENT - _RISE_PERCENT * count / top:.1f}%")
        for place, count in zip(at or range(len(counts)), counts, strict=True)
    ]
    left, right = points[0][0], points[-1][0]
    above = [f"{x} {y}" for x, y in points]
    beneath = [f"{x} calc({y} + {_LINE})" for x, y in reversed(points)]
    text = in_html(label)
    return (
        f'<div class="spark" role="img" aria-label="{text}" title="{text}">'
        f'<i style="clip-path:polygon({",".join([f"{left} 100%", *above, f"{right} 100%"])})"></i>'
        f'<i style="clip-path:polygon({",".join([*above, *beneath])})"></i></div>'
    )
