"""A Plotly figure that is updated in place: the custom element behind the page's charts (Streamlit edge).

`st.plotly_chart` of Streamlit 1.67 makes the figure part of the element's identity, so that each new figure tears the
chart down: it blanks every second and forgets what the viewer points at. This element keeps its chart and hands it the
new figure. plotly.js comes out of the installed plotly package, from the dashboard's own host.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import plotly
import streamlit as st
import streamlit.components.v1 as static_files

from services.dashboard.picks import Picked

_SCRIPT: Final = Path(__file__).with_suffix(".js")


def register() -> Callable[..., None]:
    """Make the element known to Streamlit, once a run of the app; returns `draw(figure_json, label, key, height)`.

    `label` is what a screen reader says of the chart. With `on_pick` a click on a bar or cell whose customdata is text
    calls it, before the run that follows, with that text.
    """
    package = static_files.declare_component("plotly", path=Path(plotly.__file__).parent / "package_data")
    element: Any = st.components.v2.component("live_plot", js=_SCRIPT.read_text(encoding="utf-8"), isolate_styles=False)
    address = f"component/{package.name}/plotly.min.js"

    def draw(figure_json: str, *, label: str, key: str, height: int, on_pick: Picked | None = None) -> None:
        data = {"figure": figure_json, "label": label, "height": height, "plotly": address, "pickable": bool(on_pick)}
        listening = (
            {} if on_pick is None else {"on_picked_change": lambda: on_pick(st.session_state[key].get("picked"))}
        )
        element(data=data, key=key, height=height, **listening)

    return draw
