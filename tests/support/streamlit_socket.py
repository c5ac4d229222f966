"""A client of Streamlit's protocol that asks for what no browser would."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.util import calc_hash
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

_SECONDS: Final = 60


class StreamlitSocket:
    """An open WebSocket. `shown` is the text of everything that arrived."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.session_id = ""
        self.fragment_id = ""
        self.redirect = ""
        self.shown = ""

    def run(
        self, path: str = "", *, fragment_id: str = "", query: str = "", widgets: Mapping[str, object] | None = None
    ) -> str:
        """Ask for the page at `path`, or for a fragment; what arrived until it was shown, or the socket closed."""
        before = len(self.shown)
        try:
            self.ask(path, fragment_id=fragment_id, query=query, widgets=widgets)
            while self._read() != "script_finished":
                pass
        except ConnectionClosed:
            pass
        return self.shown[before:]

    def ask(
        self, path: str = "", *, fragment_id: str = "", query: str = "", widgets: Mapping[str, object] | None = None
    ) -> None:
        """Ask without waiting for an answer: there is none to a fragment that the session does not have.

        `widgets` are the states that components claim to have, by their ids.
        """
        asked = BackMsg()
        state = asked.rerun_script
        state.page_script_hash = calc_hash(path)
        state.query_string = query
        state.fragment_id = fragment_id
        state.is_auto_rerun = bool(fragment_id)
        state.context_info.timezone = "UTC"
        for widget_id, value in (widgets or {}).items():
            widget = state.widget_states.widgets.add()
            widget.id, widget.json_value = widget_id, json.dumps(value)
        self._socket.send(asked.SerializeToString())

    def read_to_the_end(self) -> str:
        """What arrives until the server closes the socket."""
        before = len(self.shown)
        try:
            while True:
                self._read()
        except ConnectionClosed:
            return self.shown[before:]

    def _read(self) -> str:
        payload = self._socket.recv(timeout=_SECONDS)
        assert isinstance(payload, bytes)
        message = ForwardMsg.FromString(payload)
        kind: str = message.WhichOneof("type") or ""
        match kind:
            case "new_session":
                self.session_id = message.new_session.initialize.session_id
            case "auto_rerun":
                self.fragment_id = message.auto_rerun.fragment_id
            case "auth_redirect":
                self.redirect = message.auth_redirect.url
        self.shown += payload.decode("utf-8", "replace")
        return kind


@contextmanager
def opened(
    url: str, cookies: Mapping[str, str], session_id: str = "", headers: Mapping[str, str] | None = None
) -> Iterator[StreamlitSocket]:
    """A WebSocket of the dashboard at `url`, with these cookies, that asks to resume a session if one is given.

    Raises InvalidStatus if the dashboard refuses it.
    """
    cookie = "; ".join(f"{name}={value}" for name, value in cookies.items())
    with connect(
        f"ws{url.removeprefix('http')}/_stcore/stream",
        subprotocols=["streamlit", "xsrf", session_id] if session_id else ["streamlit"],  # type: ignore[list-item]
        additional_headers={**({"Cookie": cookie} if cookie else {}), **(headers or {})},
        max_size=None,
        compression=None,
        open_timeout=_SECONDS,
    ) as socket:
        yield StreamlitSocket(socket)
