"""`clickpulse enrich`: adds product, visitor, country and device to each raw click."""

import argparse
import gc
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from threading import Event
from typing import Final

from services.enrich.lookups import Lookups
from services.enrich.service import SERVICE, EnrichService, Route
from services.enrich.settings import EnrichSettings
from services.enrich.tally import Tally
from shared.health import Health, health_endpoint
from shared.logs import configure_logs, get_logger
from shared.redis_client import REDIS_UNAVAILABLE, connect, redis_address
from shared.refusals import dead_letter_topic
from shared.settings import CONFIGURATION_ERROR_EXIT_CODE, ConfigurationError, read_settings
from shared.signals import stop_on_signals
from shared.streams import Fenced, LogUnavailable, TopicSpec
from shared.streams.choose import open_log
from shared.waiting import Stopped, wait_for

_FENCED_EXIT_CODE: Final = 3
_GC_THRESHOLD: Final = 100_000  # more than the objects of a batch, which die with it and form no cycles

logger = get_logger(__name__)


def main(argv: Sequence[str]) -> int:
    """Run until SIGTERM or SIGINT. Returns the exit code: 0 stopped, 2 wrong option or setting, 3 fenced."""
    _parser().parse_args(argv)
    try:
        settings = read_settings(EnrichSettings)
    except ConfigurationError as error:
        print(f"clickpulse enrich: {error}", file=sys.stderr)  # noqa: T201 - before the logs are set up
        return CONFIGURATION_ERROR_EXIT_CODE
    configure_logs(SERVICE, settings.log_format, settings.log_level)
    stop = Event()
    try:
        with stop_on_signals(stop):
            _run(settings, stop)
    except Stopped:
        pass
    except Fenced as error:
        logger.error("another process does this work, stopping", reason=str(error))  # noqa: TRY400 - no trace wanted
        return _FENCED_EXIT_CODE
    logger.info("stopped")
    return 0


def _run(settings: EnrichSettings, stop: Event) -> None:
    log = open_log(settings, SERVICE)
    address = redis_address(settings.redis_url)
    logger.info(
        "starting",
        log=log.address,
        redis=address,
        redis_prefix=settings.redis_prefix,
        raw_topic=settings.raw_topic,
        enriched_topic=settings.enriched_topic,
        batch_records=settings.enrich_batch_records,
        health_port=settings.health_port,
    )
    health = Health(SERVICE)
    health.failing("start", "waiting for the event log and Redis")
    # Left in the order of dependence: the processor before its log, the health endpoint last.
    with ExitStack() as stack:
        stack.enter_context(health_endpoint(health, settings.health_port))
        stack.callback(log.close)
        client = connect(settings.redis_url)
        stack.callback(client.close)
        wait_for(client.ping, dependency=f"Redis at {address}", passing=REDIS_UNAVAILABLE, stop=stop)
        retention_ms = round(settings.retention_hours * 3_600_000)
        topics = [
            TopicSpec(topic, settings.partitions, retention_ms)
            for topic in (settings.raw_topic, settings.enriched_topic, dead_letter_topic(settings.raw_topic))
        ]
        dependency = f"the event log at {log.address}"
        wait_for(lambda: log.ensure_topics(topics), dependency=dependency, passing=LogUnavailable, stop=stop)
        processor = stack.enter_context(
            wait_for(
                lambda: log.processor(settings.raw_topic, SERVICE),
                dependency=dependency,
                passing=LogUnavailable,
                stop=stop,
            )
        )
        lookups = Lookups(
            client,
            settings.redis_prefix,
            found_seconds=settings.lookup_cache_seconds,
            missing_seconds=settings.lookup_missing_seconds,
            cache_entries=settings.lookup_cache_entries,
            clock=time.monotonic,
        )
        gc.freeze()
        gc.set_threshold(_GC_THRESHOLD)
        health.working("start")
        logger.info("ready", topics=[topic.name for topic in topics])
        route = Route(
            raw_topic=settings.raw_topic,
            enriched_topic=settings.enriched_topic,
            log_address=log.address,
            redis_address=address,
            batch_records=settings.enrich_batch_records,
        )
        EnrichService(processor, lookups, route, tally=Tally(time.monotonic), health=health, stop=stop).run()


def _parser() -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog="clickpulse enrich",
        description="Read raw clicks from RAW_TOPIC, add product, visitor, country and device to each, and write them "
        "to ENRICHED_TOPIC, keyed by userId. What cannot be read goes to RAW_TOPIC-dlq with the reason.",
        epilog="Options are environment variables: KAFKA_BROKER, REDIS_URL, REDIS_PREFIX, RAW_TOPIC, ENRICHED_TOPIC, "
        "PARTITIONS, RETENTION_HOURS, ENRICH_BATCH_RECORDS, LOOKUP_CACHE_SECONDS, LOOKUP_MISSING_SECONDS, "
        "LOOKUP_CACHE_ENTRIES, HEALTH_PORT, LOG_FORMAT, LOG_LEVEL; .env.example explains them. "
        "Exit codes: 0 stopped, 1 failed, 2 wrong option or setting, 3 another process does this work.",
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
