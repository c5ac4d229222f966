"""What a log may say of an exception: its type, where it was raised, and a message that quotes no event. Pure.

Most messages quote the value that was wrong, which may be a visitor's. So a message is kept only if it comes from the
operating system, Redis, the Kafka client or our own exceptions.
"""

import re
import traceback
from collections.abc import Iterator, Sequence
from typing import Any, Final

MOST_CHAINED: Final = 5
MOST_FRAMES: Final = 30
"""Of one exception: the outermost ten and the innermost twenty."""
_OUTER_FRAMES: Final = 10
LONGEST_MESSAGE: Final = 500

_OPEN_MODULES: Final = ("shared.", "services.", "redis.", "cimpl", "confluent_kafka.")
_QUOTED_COMMAND: Final = re.compile(r"^Command # \d+ \((\S{0,40}).*\) of pipeline caused error: ", re.DOTALL)
"""redis-py quotes the command with its arguments, which may be an event."""
_QUOTED_ARGUMENTS: Final = re.compile(r",? with args beginning with:.*", re.DOTALL)


def error_text(error: object) -> str:
    """The message of an exception if it quotes no event, else its type; anything else as text. Bounded."""
    if not isinstance(error, BaseException):
        return str(error)[:LONGEST_MESSAGE]
    return _message(error) or type(error).__name__


def described(error: BaseException) -> list[dict[str, Any]]:
    """The exception and its causes, the raised one first: `exc_type`, `exc_value`, `is_cause`, `frames`."""
    return [
        {
            "exc_type": type(chained).__name__,
            "exc_value": _message(chained),
            "is_cause": is_cause,
            "frames": [
                {"filename": frame.filename, "lineno": frame.lineno, "name": frame.name} for frame in _frames(chained)
            ],
        }
        for chained, is_cause in _chain(error)
    ]


def written(error: BaseException) -> str:
    """The exception and its causes as Python writes them, the raised one last."""
    parts = []
    for chained, is_cause in reversed(list(_chain(error))):
        frames = "".join(
            f'  File "{frame.filename}", line {frame.lineno}, in {frame.name}\n' for frame in _frames(chained)
        )
        message = _message(chained)
        parts.append(f"Traceback (most recent call last):\n{frames}{type(chained).__name__}{message and ': '}{message}")
        if is_cause:
            parts.append("This exception caused the next one:")
    return "\n".join(parts)


def _message(error: BaseException) -> str:
    if not any(kind.__module__.startswith(_OPEN_MODULES) for kind in type(error).__mro__):
        if not isinstance(error, OSError) or error.strerror is None:
            return ""
        return f"{error.strerror}{f': {error.filename}' if error.filename else ''}"[:LONGEST_MESSAGE]
    text = _QUOTED_COMMAND.sub(r"\1: ", str(error)[: 4 * LONGEST_MESSAGE])
    return _QUOTED_ARGUMENTS.sub("", text)[:LONGEST_MESSAGE]


def _chain(error: BaseException) -> Iterator[tuple[BaseException, bool]]:
    """The error, then what caused it or was being handled, each with whether it is such a cause."""
    seen: set[int] = set()
    chained: BaseException | None = error
    while chained is not None and len(seen) < MOST_CHAINED and id(chained) not in seen:
        yield chained, bool(seen)
        seen.add(id(chained))
        chained = chained.__cause__ or (None if chained.__suppress_context__ else chained.__context__)


def _frames(error: BaseException) -> Sequence[traceback.FrameSummary]:
    frames = [
        traceback.FrameSummary(frame.f_code.co_filename, line, frame.f_code.co_name, lookup_line=False)
        for frame, line in _walked(error)
    ]
    return frames if len(frames) <= MOST_FRAMES else [*frames[:_OUTER_FRAMES], *frames[_OUTER_FRAMES - MOST_FRAMES :]]


def _walked(error: BaseException) -> Iterator[tuple[Any, int]]:
    place = error.__traceback__
    while place is not None:
        yield place.tb_frame, place.tb_lineno
        place = place.tb_next
