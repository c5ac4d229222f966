"""The aggregate service's composition root."""

import argparse
import os
import socket
import time
from collections.abc import Sequence
from threading import Event

from services.aggregate.sender import Sender
from services.aggregate.service import SERVICE, AggregateService
from services.aggregate.settings import AggregateSettings
from shared.health import Health, health_endpoint
from shared.logs import configure_logs, get_logger
from shared.redis_client import connect, redis_address
from shared.refusals import dead_letter_topic
from shared.settings import read_settings
from shared.signals import stop_on_signals
from shared.streams import Fenced, LogUnavailable, TopicSpec
from shared.streams.choose import open_log
from shared.waiting import Stopped, wait_for

logger = get_logger(__name__)


def main(argv: Sequence[str]) -> int:
    """Run until SIGTERM or SIGINT. Returns the exit code; raises ConfigurationError."""
    parser = argparse.ArgumentParser(
        prog="clickpulse aggregate",
        description="Keep exact windows over enriched clicks and publish the rollups to Redis every second.",
        epilog="Options are environment variables; .env.example lists them. Exit codes: 0 stopped, 3 fenced.",
    )
    parser.parse_args(argv)
    settings = read_settings(AggregateSettings)
    configure_logs(SERVICE, settings.log_format, settings.log_level)
    stop = Event()
    health = Health(SERVICE)
    with stop_on_signals(stop), health_endpoint(health, settings.health_port):
        return _serve(settings, health, stop)


def _serve(settings: AggregateSettings, health: Health, stop: Event) -> int:
    log = open_log(settings, SERVICE)
    topic = settings.enriched_topic
    logger.info(
        "starting",
        log=log.address,
        redis=redis_address(settings.redis_url),
        topic=topic,
        group=settings.aggregate_group,
        state_dir=str(settings.state_dir),
    )
    retention_ms = int(settings.retention_hours * 3_600_000)
    topics = [TopicSpec(name, settings.partitions, retention_ms) for name in (topic, dead_letter_topic(topic))]
    try:
        wait_for(
            lambda: log.ensure_topics(topics),
            dependency=f"the event log at {log.address}",
            passing=LogUnavailable,
            stop=stop,
            on_failure=lambda reason: health.failing("log", reason),
        )
        health.working("log")
        # Stops from the inside out: the loop ends with a last rollup, the consumer checkpoints and closes the
        # partitions, the sender publishes what it was offered last, and only then does the log's connection go.
        client = connect(settings.redis_url)
        with Sender(client, settings.redis_prefix, health) as sender, log.producer() as producer:
            service = AggregateService(
                settings,
                producer=producer,
                offer=sender.offer,
                publisher=f"{socket.gethostname()}:{os.getpid()}",
                health=health,
                clock=time.time,
                stop=stop,
            )
            with log.consumer(topic, settings.aggregate_group, service) as consumer:
                service.run(consumer)
    except Stopped:
        logger.info("stopped before the event log answered")
    except Fenced as fenced:
        logger.error("fenced: another replica owns this work", reason=str(fenced))  # noqa: TRY400 - no bug, no trace
        return 3
    finally:
        log.close()
    logger.info("stopped")
    return 0
