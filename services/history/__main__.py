"""`clickpulse history`: keeps every enriched event and its rollups in PostgreSQL."""

import sys
from collections.abc import Sequence
from contextlib import ExitStack, closing
from functools import partial
from threading import Event
from typing import Final

from services.history.api.serving import api, keys_of
from services.history.embedded import embedded_server
from services.history.failures import DatabaseUnavailable
from services.history.psql import run_psql
from services.history.service import SERVICE, HistoryService
from services.history.settings import HistorySettings
from services.history.sql.connecting import Url, address_of, checked_url, one_at_a_time
from services.history.sql.migrating import migrate
from services.history.sql.store import Store
from shared.events.refusals import dead_letter_topic
from shared.privacy.erasure_watch import ErasureWatch
from shared.runtime.dependency import Dependency
from shared.runtime.logs import configure_logs, get_logger
from shared.runtime.process import STARTING, await_redis, await_topics, run_process, spare_garbage_collector
from shared.runtime.redis_client import connect
from shared.runtime.settings import read_settings
from shared.runtime.settings_help import service_parser
from shared.runtime.tracebacks import error_text
from shared.status.gauges import Gauges
from shared.status.health import Health
from shared.streams.event_log import EventLog

logger = get_logger(__name__)

_DESCRIPTION: Final = (
    "Read enriched clicks from ENRICHED_TOPIC and keep every event, and rollups of each minute, hour and day, in "
    "PostgreSQL at HISTORY_URL, exactly once."
)


_SQL: Final = "sql"


def main(argv: Sequence[str]) -> int:
    """Run until SIGTERM or SIGINT. Returns the exit code: 0 stopped, 1 not migrated, 3 fenced; or that of psql.

    Raises ConfigurationError.
    """
    parser = service_parser(SERVICE, _DESCRIPTION, HistorySettings)
    parser.add_argument(
        "action",
        nargs="?",
        choices=["migrate", "sql"],
        help="migrate: only bring the schema up to date, as every start does; sql: open psql, which gets what follows",
    )
    own = argv[:1] if argv[:1] == [_SQL] else argv
    arguments = parser.parse_args(own)
    settings = read_settings(HistorySettings)
    if settings.history_url is not None:
        checked_url(settings.history_url)
    if arguments.action == _SQL:
        return run_psql(settings, argv[1:])
    keys_of(settings)
    if arguments.action == "migrate":
        return _migrate(settings)
    return run_process(SERVICE, settings, partial(_run, settings))


def _migrate(settings: HistorySettings) -> int:
    configure_logs(SERVICE, settings.log_format, settings.log_level)
    with ExitStack() as stack:
        try:
            applied = migrate(_url(settings, stack))
        except DatabaseUnavailable as error:
            logger.error("not migrated", postgres=_address(settings), error=error_text(error))  # noqa: TRY400 - no bug
            return 1
    logger.info("migrated", applied=applied)
    return 0


def _url(settings: HistorySettings, stack: ExitStack) -> Url:
    """HISTORY_URL, or that of a server of our own, which runs until the stack closes."""
    given = settings.history_url
    return stack.enter_context(embedded_server(settings.history_dir)) if given is None else lambda: given


def _address(settings: HistorySettings) -> str:
    return str(settings.history_dir) if settings.history_url is None else address_of(settings.history_url)


def _run(settings: HistorySettings, log: EventLog, health: Health, gauges: Gauges, stop: Event) -> None:
    topic = settings.enriched_topic
    spare_garbage_collector()
    # Closes in reverse order: the consumer, then the tables, then the API, then a server of our own.
    with ExitStack() as stack:
        url = one_at_a_time(_url(settings, stack))
        # Before PostgreSQL answers: a port that is in use is reported at once.
        stack.enter_context(api(settings, url, health))
        database = Dependency(f"PostgreSQL at {_address(settings)}", health, "postgres", is_optional=True)
        applied = database.wait_for(lambda: migrate(url), DatabaseUnavailable, stop)
        logger.info("schema is up to date", applied=applied)
        await_redis(settings, health, stop)
        await_topics(log, (topic, dead_letter_topic(topic)), settings, health, stop)
        health.working(STARTING)
        client = stack.enter_context(connect(settings.redis_url))
        erasures = stack.enter_context(ErasureWatch(client, settings.redis_prefix))
        service = HistoryService(
            stack.enter_context(closing(Store(url, topic, stop))),
            stack.enter_context(log.producer()),
            topic=topic,
            batch_records=settings.history_batch_records,
            raw_days=settings.retention_raw_days,
            minute_days=settings.retention_1m_days,
            health=health,
            gauges=gauges,
            stop=stop,
            log_address=log.address,
            database_address=_address(settings),
            current_erasures=erasures.current,
            limits=settings.limits,
        )
        service.run(stack.enter_context(log.consumer(topic, SERVICE, service)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
