"""HTML whose buttons report what was picked, and the slider over minutes (Streamlit edge)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import streamlit as st

from services.dashboard.components.script import Script, joined
from services.dashboard.kit.time_zones import Clock
from shared.events.time_units import MINUTE_MS

SCRIPTS: Final = (Script("picks", joined("leading", "picks")), Script("scrubber", joined("scrubber")))

Picked = Callable[[object], None]
"""Called before the run that follows, with what the browser sent, which is untrusted."""


@dataclass(frozen=True, slots=True)
class File:
    """A file for the viewer to download. `token` is unique for this viewer."""

    name: str
    media_type: str
    text: str
    token: str


def listening(key: str, on_pick: Picked) -> dict[str, Any]:
    """The arguments that make the element `key` call `on_pick` with what is picked on it."""

    def report() -> None:
        picked = st.session_state[key].get("picked")
        if isinstance(picked, dict):
            on_pick(picked.get("what"))

    return {"on_picked_change": report, "default": {"picked": None}}


def register() -> tuple[Callable[..., None], Callable[..., None]]:
    """Register both with Streamlit, once per app run.

    Returns two functions. `show(html, key, on_pick, leads_to, file, on_got)` shows HTML whose buttons have a
    `data-pick`. A pick scrolls to the element that the selector `leads_to` names, if any. `file`, if any, is sent until
    the browser reports its token to `on_got`.
    `scrub(first, last, at, bars, clock, key, on_move)` takes three minutes, of which `at` is the shown one (None: the
    newest), the heights of the curve from 0 to 1, and the viewer's clock. `on_move` receives a minute in UTC.
    """
    html_element, slider_element = (_element(script) for script in SCRIPTS)

    def show(
        html: str,
        *,
        key: str,
        on_pick: Picked,
        leads_to: str | None = None,
        file: File | None = None,
        on_got: Picked | None = None,
    ) -> None:
        data: dict[str, Any] = {"html": html, "leads_to": leads_to}
        handlers = listening(key, on_pick)
        if file is not None:
            data["file"] = {"name": file.name, "type": file.media_type, "text": file.text, "token": file.token}
        if on_got is not None:
            handlers["on_got_change"] = lambda: on_got(st.session_state[key].get("got"))
            handlers["default"]["got"] = None
        html_element(data=data, key=key, **handlers)

    def scrub(
        first: int, last: int, at: int | None, bars: list[float], clock: Clock, *, key: str, on_move: Picked
    ) -> None:
        # One UTC offset for the whole slider, as on the charts' axes.
        zone = {"zone": clock.name(last * MINUTE_MS), "ahead_ms": clock.offset_ms(last * MINUTE_MS)}
        data = {"first": first, "last": last, "at": at, "bars": bars, **zone}
        slider_element(data=data, key=key, **listening(key, on_move))

    return show, scrub


def _element(script: Script) -> Any:
    return st.components.v2.component(f"clickpulse_{script.name}", js=script.loader, isolate_styles=False)
