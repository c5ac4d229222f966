"""Elements that are updated in place: one Plotly figure, and the whole live page (Streamlit edge).

`st.plotly_chart` of Streamlit 1.67 makes the figure part of the element's identity, so that each new figure tears the
chart down: it blanks every second and forgets what the viewer points at. These elements keep their charts and hand them
the new figures. plotly.js comes from the dashboard's own host, see `server`.

The live page is one element, as each element of a page costs the server half a millisecond a viewer and refresh.
"""

import json
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final
from zlib import crc32

import streamlit as st

from services.dashboard.components import picks
from services.dashboard.components.picks import Picked

PLOTLY_ADDRESS: Final = f"assets/plotly-{version('plotly')}.js"
_HERE: Final = Path(__file__).parent
WORLD_FILE: Final = _HERE / "world.json"
WORLD_ADDRESS: Final = f"assets/world-{crc32(WORLD_FILE.read_bytes()):08x}.json"


def register() -> Callable[..., None]:
    """Make the chart known to Streamlit, once a run of the app; returns `draw(figure_json, label, key, height)`.

    `label` is what a screen reader says of the chart. With `on_pick` a click on a bar or cell whose customdata is text
    calls it, before the run that follows, with that text.
    """
    element: Any = st.components.v2.component("live_plot", js=_script("figure.js", "plot.js"), isolate_styles=False)

    def draw(figure_json: str, *, label: str, key: str, height: int, on_pick: Picked | None = None) -> None:
        data = {
            "figure": figure_json,
            "label": label,
            "height": height,
            "plotly": PLOTLY_ADDRESS,
            "pickable": bool(on_pick),
        }
        listening = {} if on_pick is None else picks.listening(key, on_pick)
        element(data=data, key=key, height=height, **listening)

    return draw


def register_page() -> Callable[[bytes], None]:
    """Make the live page known to Streamlit, once a run of the app; returns what draws one that `layout` encoded."""
    addresses = f"const PLOTLY = {json.dumps(PLOTLY_ADDRESS)}, WORLD = {json.dumps(WORLD_ADDRESS)}\n"
    script = addresses + _script("figure.js", "world_map.js", "board.js")
    element: Any = st.components.v2.component("live_page", js=script, isolate_styles=False)

    def draw(page: bytes) -> None:
        element(data=page, key="live-page", height="content")

    return draw


def _script(*names: str) -> str:
    return "\n".join((_HERE / name).read_text(encoding="utf-8") for name in names)
