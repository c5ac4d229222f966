"""What the page draws with beside Streamlit's own elements. Pure."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Elements:
    """The page's own elements, as `plot`, `picks` and `strip` register them."""

    draw: Callable[..., None]
    show: Callable[..., None]
    scrub: Callable[..., None]
    strip: Callable[..., None]
