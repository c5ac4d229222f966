"""The last warning in the logs, as the status shows it."""

import logging

from shared.runtime.logs import configure_logs, get_logger
from shared.status.complaints import kept_complaints


def test_the_last_warning_is_kept_with_its_error_and_time() -> None:
    configure_logs("test", "json", "INFO")
    logger = get_logger("tests.complaints")
    with kept_complaints() as complaints:
        logger.info("all is well", error="not counted")
        assert complaints.last is None
    with kept_complaints() as complaints:
        logger.warning("publish failed", error="connection refused", instant=5)
        assert complaints.last is not None
        assert (complaints.last.level, complaints.last.message) == ("warning", "publish failed: connection refused")
        assert complaints.last.at_ms > 1_700_000_000_000
        logger.error("broken")
        assert (complaints.last.level, complaints.last.message) == ("error", "broken")
        logging.getLogger("a.library").warning("%s is late", "it")
        assert complaints.last.message == "it is late"
        logger.warning("long", error="x" * 100_000)
        assert len(complaints.last.message) == 300
    logger.warning("later")
    assert complaints.last.message.startswith("long")
