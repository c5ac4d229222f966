"""The colours of heatmaps. Pure."""

from typing import Any

from services.dashboard.kit.theme import Palette


def least_colour(palette: Palette) -> str:
    """The colour of the smallest count above 0, a seventh of the way from none to most."""
    ends = [[int(colour[place : place + 2], 16) for place in (1, 3, 5)] for colour in (palette.page, palette.accent)]
    mixed: Any = [round(none + (most - none) * 0.14) for none, most in zip(*ends, strict=True)]
    return "#" + "".join(f"{part:02x}" for part in mixed)
