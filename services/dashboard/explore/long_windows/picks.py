"""What a viewer picks of a long window, as text that the browser sends back. Pure.

A name of a breakdown is picked to filter by it, and a bucket of the curve to zoom to it.
"""

import re
from typing import Final

from services.dashboard.explore.long_windows.choices import BREAKDOWNS

_ZOOM: Final = "zoom/"
_ZOOM_TEXT: Final = re.compile("[0-9TZ:-]{0,20}")


def pick_of(dimension: str, name: str) -> str:
    """The text of a name."""
    return f"{dimension}/{name}"


def read_pick(text: object) -> tuple[str, str] | None:
    """The dimension and the name of a pick; None for anything else, as what a browser sends is untrusted."""
    if not isinstance(text, str):
        return None
    dimension, slash, name = text.partition("/")
    return (dimension, name) if slash and dimension in BREAKDOWNS else None


def zoom_pick(zoom: str) -> str:
    """The text of a bucket by its `zoom_text`; that of the whole window is empty."""
    return f"{_ZOOM}{zoom}"


def read_zoom_pick(text: object) -> str | None:
    """What may be the `zoom_text` of a bucket, or empty; None for anything else."""
    if not isinstance(text, str) or not text.startswith(_ZOOM):
        return None
    zoom = text.removeprefix(_ZOOM)
    return zoom if _ZOOM_TEXT.fullmatch(zoom) else None
