"""Progress of a replay on standard error: a bar on a terminal, a log line every few seconds elsewhere."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from shared.runtime.logs import get_logger

logger = get_logger(__name__)

_LOG_EVERY_SECONDS: Final = 5.0

Show = Callable[[int, int, int, int], None]
"""Called with the bytes read from the file, the events sent, and the entries skipped and refused; cheap."""


@contextmanager
def progress(doing: str, size: int | None) -> Iterator[Show]:
    """Show progress through a file of `size` bytes (None: unknown) while the block runs."""
    if sys.stderr.isatty():
        with _bar(doing, size) as show:
            yield show
    else:
        yield _log_lines(doing, size)


@contextmanager
def _bar(doing: str, size: int | None) -> Iterator[Show]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TextColumn("{task.fields[sent]:,} sent, {task.fields[skipped]:,} skipped, {task.fields[refused]:,} refused"),
        TimeRemainingColumn(),
    )
    bar = Progress(*columns, console=Console(stderr=True))
    task = bar.add_task(doing, total=size, sent=0, skipped=0, refused=0)
    with bar, _logs_above_the_bar():
        yield lambda position, sent, skipped, refused: bar.update(
            task, completed=position, sent=sent, skipped=skipped, refused=refused
        )


@contextmanager
def _logs_above_the_bar() -> Iterator[None]:
    """Log through rich's replacement of standard error while it draws, so that lines do not mix."""
    before = [
        (handler, handler.setStream(sys.stderr))
        for handler in logging.getLogger().handlers
        if type(handler) is logging.StreamHandler
    ]
    try:
        yield
    finally:
        for handler, stream in before:
            if stream is not None:
                handler.setStream(stream)


def _log_lines(doing: str, size: int | None) -> Show:
    logged_at = monotonic()

    def show(position: int, sent: int, skipped: int, refused: int) -> None:
        nonlocal logged_at
        if monotonic() - logged_at < _LOG_EVERY_SECONDS:
            return
        logged_at = monotonic()
        percent = round(100 * position / size, 1) if size else None
        logger.info(doing, percent=percent, sent=sent, skipped=skipped, refused=refused)

    return show
