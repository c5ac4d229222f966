"""What is said of exceptions: messages of the system and of clients, never those that may quote an event."""

import pytest
import redis

from shared.runtime.tracebacks import MOST_CHAINED, MOST_FRAMES, described, error_text, written
from shared.streams.event_log import LogUnavailable


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("a visitor"), "ValueError"),
        (OSError("a visitor"), "OSError"),
        (FileNotFoundError(2, "No such file", "geo.mmdb"), "No such file: geo.mmdb"),
        (redis.ConnectionError("Connection refused."), "Connection refused."),
        (
            redis.ResponseError("Command # 3 (SET detect:a visitor {}) of pipeline caused error: OOM"),
            "SET: OOM",
        ),
        (
            LogUnavailable("Command # 1 (XADD c (a\n) of pipeline caused error: x) of pipeline caused error: OOM"),
            "XADD: OOM",
        ),
        (redis.ResponseError("unknown command 'A', with args beginning with: 'a visitor'"), "unknown command 'A'"),
        ("our own words", "our own words"),
    ],
)  # fmt: skip
def test_text_of_an_error(error: object, text: str) -> None:
    assert error_text(error) == text


def _deep(depth: int) -> None:
    if depth:
        _deep(depth - 1)
    raise ValueError("a visitor")


def _fail(cause: Exception | None) -> None:
    raise KeyError("a visitor") from cause


def test_a_traceback_is_bounded_in_frames_and_causes() -> None:
    error: Exception = ValueError()
    for number in range(2 * MOST_CHAINED):
        try:
            _fail(error if number else None)
        except KeyError as raised:
            error = raised
    chain = described(error)
    assert len(chain) == MOST_CHAINED
    assert chain[0]["exc_type"] == "KeyError"
    assert "a visitor" not in written(error)
    try:
        _deep(200)
    except ValueError as deep:
        (only,) = described(deep)
        assert len(only["frames"]) == MOST_FRAMES
        assert only["frames"][-1]["name"] == "_deep"
