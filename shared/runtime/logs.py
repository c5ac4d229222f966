"""Structured logs on standard error: readable on a terminal, otherwise one JSON object per line. Times are UTC.

Every line is bounded. A traceback has neither local variables nor messages that may quote an event, whoever logs it.
"""

import json
import logging
import sys
import threading
from types import TracebackType
from typing import Any, Final, Literal, TextIO

import structlog
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

from shared.runtime.log_bounds import LONGEST_LINE, LONGEST_VALUE, bounded, cut, shortest
from shared.runtime.tracebacks import described, error_text, written

_EVERYWHERE: Final = ("time", "level", "service", "logger", "message")
"""The fields of every line, in this order, ahead of its own."""
_FIXED: Final = {"exc_info", "exception", "_record", "_from_structlog"}
"""What the bounds leave alone: structlog's own, and the traceback, which has its own bounds."""


def configure_logs(service: str, log_format: Literal["auto", "console", "json"], level: str) -> None:
    """Set up structlog and route the standard library's loggers through it. Called once per process, by `__main__`."""

    def add_service(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
        line["service"] = service  # not a context variable, which other threads do not have
        return line

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        add_service,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.StackInfoRenderer(),
    ]
    console = log_format == "console" or (log_format == "auto" and sys.stderr.isatty())
    rendering: list[Processor] = (
        [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(),
                pad_event_to=0,
                timestamp_key="time",
                exception_formatter=_write,
            )
        ]
        if console
        else [
            structlog.processors.ExceptionRenderer(_described),
            structlog.processors.EventRenamer("message"),
            _in_order,
            _as_json,
        ]
    )
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _BoundedFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _with_bounds, *rendering],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    logging.setLogRecordFactory(_record)
    logging.raiseExceptions = False  # it would print the arguments of a line that cannot be formatted
    sys.excepthook = _log_crash
    threading.excepthook = lambda hook: _log_crash(hook.exc_type, hook.exc_value, hook.exc_traceback)
    sys.unraisablehook = lambda hook: _log_crash(
        hook.exc_type, hook.exc_value, hook.exc_traceback, "exception in a finalizer"
    )


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of a module: `logger = get_logger(__name__)`."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def _log_crash(
    kind: type[BaseException], error: BaseException | None, trace: TracebackType | None, event: str = "crashed"
) -> None:
    """Log what nothing caught. Python would print it with its message, which may quote an event."""
    if kind is SystemExit:
        return
    error = error or kind()
    if kind is KeyboardInterrupt:
        sys.__excepthook__(kind, error, trace)
        return
    get_logger(__name__).critical(event, exc_info=error.with_traceback(trace))


def _record(*arguments: Any, **details: Any) -> logging.LogRecord:
    """The record of a line, ours or a library's: exceptions among its arguments as bounded texts.

    Libraries, such as Streamlit, format some lines themselves. They use `exc_text` where there is one.
    """
    record = logging.LogRecord(*arguments, **details)
    if isinstance(record.args, tuple) and any(isinstance(value, BaseException) for value in record.args):
        record.args = tuple(error_text(value) if isinstance(value, BaseException) else value for value in record.args)
    if isinstance(record.msg, BaseException):
        record.msg = error_text(record.msg)
    elif isinstance(record.msg, str):
        record.msg = cut(record.msg, LONGEST_VALUE)
    if record.exc_info and record.exc_info[1] is not None:
        record.exc_text = written(record.exc_info[1])
    return record


class _BoundedFormatter(structlog.stdlib.ProcessorFormatter):
    def format(self, record: logging.LogRecord) -> str:
        return super().format(record)[:LONGEST_LINE]  # on a console; JSON is shorter


def _with_bounds(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    return {name: value if name in _FIXED else bounded(_spoken(value)) for name, value in line.items()}


def _spoken(value: object) -> object:
    return error_text(value) if isinstance(value, BaseException) else value


def _in_order(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    return {**{name: line.pop(name) for name in _EVERYWHERE if name in line}, **line}


def _as_json(_: WrappedLogger, __: str, line: EventDict) -> str:
    text = json.dumps(line, default=str)
    return text if len(text) <= LONGEST_LINE else json.dumps(dict(shortest(line)))


def _described(exc_info: ExcInfo) -> list[dict[str, Any]]:
    return described(exc_info[1])


def _write(stream: TextIO, exc_info: ExcInfo) -> None:
    stream.write(f"\n{written(exc_info[1])}")
