"""A name of a breakdown that the viewer picks to filter by, as text that the browser sends back. Pure."""

from services.dashboard.explore.long_windows.choices import BREAKDOWNS


def pick_of(dimension: str, name: str) -> str:
    """The text of a name."""
    return f"{dimension}/{name}"


def read_pick(text: object) -> tuple[str, str] | None:
    """The dimension and the name of a pick; None for anything else, as what a browser sends is untrusted."""
    if not isinstance(text, str):
        return None
    dimension, slash, name = text.partition("/")
    return (dimension, name) if slash and dimension in BREAKDOWNS else None
