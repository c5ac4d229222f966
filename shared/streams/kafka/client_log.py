"""What Kafka's clients log: quieted, and searched for a recreated topic."""

import logging
import re
import time
from collections.abc import Callable
from typing import Final

ADMIN_LOGGER: Final = "quixstreams.admin"
CONSUMER_LOGGER: Final = "quixstreams.kafka.consumer"
_LOGGERS: Final = (CONSUMER_LOGGER, "quixstreams.kafka.producer", ADMIN_LOGGER)
_REPORTED_ELSEWHERE: Final = ("FAIL ", "Kafka commit error")  # through the error callback, and by the group member
_QUIET_SECONDS: Final = 60.0
_MAX_LINES: Final = 1000


class ConsumerLog(logging.Logger):
    """A consumer's log, which librdkafka calls within the consumer's own calls.

    librdkafka reports a recreated topic nowhere else, and reads on at its old offset; a comment within
    rd_kafka_topic_metadata_update of librdkafka 2.12 calls that a thing to fix. The line comes ahead of the new topic's
    records: since Kafka 3.1 they are fetched by the topic's id, and a client that does not know it gets none.
    """

    _RECREATED: Final = re.compile(r" changed id from (?!A+ )\S+ to (\S+)")  # at first it changes from 0, in base64

    def __init__(self, on_recreated: Callable[[str], None] | None) -> None:
        super().__init__(CONSUMER_LOGGER)
        self._on_recreated = on_recreated

    def log(self, level: int, msg: object, *args: object, **_: object) -> None:
        """Called as `log(level, "%s [%s] %s", facility, client, line)`."""
        if level > logging.DEBUG:
            logging.getLogger(self.name).log(level, msg, *args)
        elif self._on_recreated is not None and (found := self._RECREATED.search(str(args[-1]))):
            self._on_recreated(found[1])


class _OnceAMinute(logging.Filter):
    """Passes a line once a minute: without a broker librdkafka repeats it hundreds of times."""

    def __init__(self) -> None:
        super().__init__()
        self._logged_at: dict[str, float] = {}  # time.monotonic() by line

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to log the record."""
        line = record.getMessage().partition(" (after ")[0]
        now = time.monotonic()
        if line.startswith(_REPORTED_ELSEWHERE) or now - self._logged_at.get(line, float("-inf")) < _QUIET_SECONDS:
            return False
        if len(self._logged_at) > _MAX_LINES:
            self._logged_at.clear()
        self._logged_at[line] = now
        return True


def quiet_client_logs() -> None:
    """Quix Streams and librdkafka log through the standard library, and warn about what they retry."""
    logging.getLogger("quixstreams").setLevel(logging.ERROR)
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        if not any(isinstance(known, _OnceAMinute) for known in logger.filters):
            logger.addFilter(_OnceAMinute())
