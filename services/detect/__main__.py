"""`clickpulse detect`: watches the enriched clicks for visitors who earned a special offer."""

import argparse
import time
from collections.abc import Sequence
from contextlib import ExitStack
from threading import Event
from typing import Final

from services.detect.machines import MachineStore
from services.detect.service import DetectService
from services.detect.settings import DetectSettings
from shared.health import Health, health_endpoint
from shared.logs import configure_logs, get_logger
from shared.redis_client import REDIS_UNAVAILABLE, connect, redis_address
from shared.settings import read_settings
from shared.signals import stop_on_signals
from shared.streams import EventLog, Fenced, LogUnavailable, TopicSpec
from shared.streams.choose import open_log
from shared.waiting import Stopped, wait_for

SERVICE: Final = "detect"
_FENCED_EXIT_CODE: Final = 3

logger = get_logger(__name__)


def main(argv: Sequence[str]) -> int:
    """Run until SIGTERM or SIGINT. Returns the exit code: 0 stopped, 3 fenced. Raises ConfigurationError."""
    _parser().parse_args(argv)
    settings = read_settings(DetectSettings)
    configure_logs(SERVICE, settings.log_format, settings.log_level)
    log = open_log(settings, SERVICE)
    logger.info(
        "starting",
        log=log.address,
        redis=redis_address(settings.redis_url),
        redis_prefix=settings.redis_prefix,
        enriched_topic=settings.enriched_topic,
        offers_topic=settings.offers_topic,
        window_minutes=settings.detect_window_minutes,
        health_port=settings.health_port,
    )
    stop = Event()
    try:
        with stop_on_signals(stop):
            _run(settings, log, stop)
    except Stopped:
        pass
    except Fenced as error:
        logger.error("fenced: another process does this work", reason=str(error))  # noqa: TRY400 - no bug, no trace
        return _FENCED_EXIT_CODE
    logger.info("stopped")
    return 0


def _run(settings: DetectSettings, log: EventLog, stop: Event) -> None:
    health = Health(SERVICE)
    health.failing("start", "waiting for the event log and Redis")
    window_ms = round(settings.detect_window_minutes * 60_000)
    address = redis_address(settings.redis_url)
    # Left in the order of dependence: the processor before its log, the health endpoint last.
    with ExitStack() as stack:
        stack.enter_context(health_endpoint(health, settings.health_port))
        stack.callback(log.close)
        client = connect(settings.redis_url)
        stack.callback(client.close)
        wait_for(client.ping, dependency=f"Redis at {address}", passing=REDIS_UNAVAILABLE, stop=stop)
        topics = [
            TopicSpec(topic, settings.partitions, round(settings.retention_hours * 3_600_000))
            for topic in (settings.enriched_topic, settings.offers_topic)
        ]
        wait_for(
            lambda: log.ensure_topics(topics),
            dependency=f"the event log at {log.address}",
            passing=LogUnavailable,
            stop=stop,
        )
        processor = wait_for(
            lambda: log.processor(settings.enriched_topic, SERVICE),
            dependency=f"the event log at {log.address}",
            passing=LogUnavailable,
            stop=stop,
        )
        stack.enter_context(processor)
        health.working("start")
        DetectService(
            processor,
            MachineStore(client, settings.redis_prefix, window_ms),
            offers_topic=settings.offers_topic,
            window_ms=window_ms,
            health=health,
            stop=stop,
            now_ms=lambda: time.time_ns() // 1_000_000,
            log_address=log.address,
            redis_address=address,
        ).run()


def _parser() -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog="clickpulse detect",
        description="Follow each visitor of the enriched clicks through a state machine (clothing, shoes, other "
        "clothing within half an hour), write a special offer to OFFERS_TOPIC when one is earned, and log the "
        "transitions to the Redis stream state_logs.",
        epilog="Options are environment variables: KAFKA_BROKER, REDIS_URL, REDIS_PREFIX, ENRICHED_TOPIC, "
        "OFFERS_TOPIC, DETECT_WINDOW_MINUTES, PARTITIONS, RETENTION_HOURS, HEALTH_PORT, LOG_FORMAT, LOG_LEVEL. "
        "Exit codes: 0 stopped, 1 failed, 2 wrong option or setting, 3 another process does this work.",
    )
