"""The last warning or error that this process logged, for its status."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from shared.runtime.tracebacks import error_text
from shared.status.replica_status import Complaint, Level

_LONGEST: int = 300  # characters


class LastComplaint(logging.Handler):
    """Keeps the message of the last log line at warning level or above, with the error or reason that it names."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last: Complaint | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Called by logging, from any thread."""
        level: Level = "error" if record.levelno >= logging.ERROR else "warning"
        if isinstance(record.msg, dict):  # from structlog
            error = record.msg.get("error") or record.msg.get("reason")
            message = f"{record.msg.get('event')}: {error_text(error)}" if error else f"{record.msg.get('event')}"
        else:
            message = record.getMessage()
        self.last = Complaint(level, message[:_LONGEST], round(1000 * record.created))


@contextmanager
def kept_complaints() -> Iterator[LastComplaint]:
    """Keep the last complaint in this process's logs while the block runs."""
    handler = LastComplaint()
    logging.getLogger().addHandler(handler)
    try:
        yield handler
    finally:
        logging.getLogger().removeHandler(handler)
