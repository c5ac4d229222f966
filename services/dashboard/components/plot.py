"""A Plotly figure that is updated in place (Streamlit edge).

In Streamlit 1.67 the figure is part of the identity of `st.plotly_chart`, so each new figure recreates the chart: it
blanks every second and loses its hover label. This element keeps its chart and passes it new figures. plotly.js comes
from the dashboard's own host, see `web.assets`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from zlib import crc32

import streamlit as st

from services.dashboard.components import picks
from services.dashboard.components.picks import Picked
from services.dashboard.components.script import Script, joined

_HERE: Final = Path(__file__).parent
PLOTLY_FILE: Final = _HERE / "plotly-cartesian.min.js"
"""npm's plotly.js-cartesian-dist-min as it is: a third of plotly.js, with all kinds of charts that the pages draw."""
PLOTLY_ADDRESS: Final = f"assets/plotly-{crc32(PLOTLY_FILE.read_bytes()):08x}.js"
WORLD_FILE: Final = _HERE / "world.json"
SCRIPT: Final = Script("plot", joined("figure", "leading", "plot"))
WORLD_ADDRESS: Final = f"assets/world-{crc32(WORLD_FILE.read_bytes()):08x}.json"


def register() -> Callable[..., None]:
    """Register the chart with Streamlit, once per app run; returns `draw`.

    `label` is for screen readers. A click on a bar or cell whose customdata is text calls `on_pick` with that text,
    before the run that follows, and scrolls to the element that the selector `leads_to` names, if any.
    """
    element: Any = st.components.v2.component("live_plot", js=SCRIPT.loader, isolate_styles=False)

    def draw(
        figure_json: str,
        *,
        label: str,
        key: str,
        height: int,
        on_pick: Picked | None = None,
        leads_to: str | None = None,
    ) -> None:
        data = {
            "figure": figure_json,
            "label": label,
            "height": height,
            "plotly": PLOTLY_ADDRESS,
            "pickable": bool(on_pick),
            "leads_to": leads_to,
        }
        listening = {} if on_pick is None else picks.listening(key, on_pick)
        element(data=data, key=key, height=height, **listening)

    return draw
