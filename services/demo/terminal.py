"""The demo's output: each process's lines, prefixed with its name in its colour, and the demo's own messages."""

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, TextIO

_COLOURS: Final = (36, 32, 35, 34, 96, 92, 95, 94)
_BOLD: Final = 1
_YELLOW: Final = 33
_RED: Final = 31
_LEVEL: Final = re.compile(r"\[(warning|error|critical)\s*\]|^Traceback ")
_NOT_PRINTABLE: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")
# The prefix already names the service, and the time of day is enough for a demo.
_DATE: Final = re.compile(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]([0-9:]{8})\.[0-9]+Z?")
_SERVICE: Final = re.compile(r" service=[a-z-]+\b")
_DEMO: Final = "demo"
_LONGEST_LINE: Final = 8_000
"""Characters. Our services write shorter lines; the store and libraries may not."""


class Terminal:
    """Writes whole lines. Ignores failed writes, because a closed terminal must not stop the demo."""

    def __init__(self, stream: TextIO, names: Sequence[str], *, colour: bool) -> None:
        self._stream = stream
        self._width = max(map(len, [*names, _DEMO]))
        self._colours = {name: _COLOURS[place % len(_COLOURS)] for place, name in enumerate(names)}
        self._colour = colour

    def line(self, name: str, text: str) -> None:
        """Print a line of the process `name`: warnings in yellow, errors in red."""
        # A child's control characters could clear or recolour the whole screen.
        text = _NOT_PRINTABLE.sub("", text[:_LONGEST_LINE])
        text = _SERVICE.sub("", _DATE.sub(r"\1", text))
        level = _LEVEL.search(text)
        if level is not None:
            text = self._paint(text, _YELLOW if level[1] == "warning" else _RED)
        self._write(f"{self._paint(f'{name:>{self._width}} │', self._colours.get(name, _BOLD))} {text}")

    def say(self, text: str) -> None:
        """Print a line of the demo itself."""
        self._write(f"{self._paint(f'{_DEMO:>{self._width}} │', _BOLD)} {self._paint(text, _BOLD)}")

    def announce(self, lines: Sequence[str]) -> None:
        """Print lines that stand out from the logs around them."""
        self._write("\n".join(["", *(f"  {self._paint(line, _BOLD)}" for line in lines), ""]))

    def _paint(self, text: str, code: int) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            self._stream.write(text + "\n")
            self._stream.flush()
