"""When a page's list of the elements that it keeps reaches Streamlit."""

from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send
from streamlit.proto.BackMsg_pb2 import BackMsg

from services.dashboard.web.message_cache import REFRESHES_UNTIL_SETTLED, MessageCache
from tests.support import own_loop


def request(*, is_auto_rerun: bool) -> Message:
    asked = BackMsg()
    asked.rerun_script.query_string = "window=15"
    asked.rerun_script.is_auto_rerun = is_auto_rerun
    asked.rerun_script.cached_message_hashes.extend(["a" * 32, "b" * 32])
    return {"type": "websocket.receive", "bytes": asked.SerializeToString()}


def seen(*arriving: Message, kind: str = "websocket") -> list[Any]:
    """What Streamlit gets of the messages."""
    waiting, got = list(arriving), []

    async def receive() -> Message:
        return waiting.pop(0)

    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        got.extend([await receive() for _ in arriving])

    async def send(_message: Message) -> None:
        raise AssertionError

    own_loop.run(MessageCache(app)({"type": kind}, receive, send))
    return got


def hashes(message: Message) -> int:
    asked = BackMsg.FromString(message["bytes"])
    assert asked.rerun_script.query_string == "window=15"
    return len(asked.rerun_script.cached_message_hashes)


def test_only_a_page_that_refreshes_by_itself_is_taken_at_its_word() -> None:
    click, refresh = request(is_auto_rerun=False), request(is_auto_rerun=True)
    settling = [refresh] * REFRESHES_UNTIL_SETTLED
    got = seen(click, *settling, refresh, refresh, click, *settling, refresh)
    assert [hashes(message) for message in got] == [0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 2]


@pytest.mark.parametrize(
    "message",
    [
        {"type": "websocket.connect"},
        {"type": "websocket.receive", "bytes": b"\xff\xff"},
        {"type": "websocket.receive", "bytes": BackMsg(stop_script=True).SerializeToString()},
        {"type": "websocket.receive", "text": "words", "bytes": None},
        {"type": "websocket.disconnect", "code": 1001},
    ],
)
def test_every_other_message_passes_as_it_is(message: Message) -> None:
    (got,) = seen(message)
    assert got is message
