"""Runs a service: logs, health endpoint, status, signals and exit codes, for all services on the event log."""

import gc
from collections.abc import Callable, Sequence
from threading import Event
from typing import Final

from shared.runtime.dependency import Dependency, Stopped
from shared.runtime.logs import configure_logs, get_logger
from shared.runtime.redis_client import REDIS_UNAVAILABLE, check_server, connect, redis_address
from shared.runtime.settings import ServiceSettings
from shared.runtime.shutdown_deadline import shutdown_deadline
from shared.runtime.signals import stop_on_signals
from shared.status.exposition import exposition
from shared.status.gauges import Gauges
from shared.status.health import Health
from shared.status.health_endpoint import health_endpoint
from shared.status.replica_status import STARTING as STARTING
from shared.status.reporter import reporting
from shared.streams.choose import open_log, topic_spec
from shared.streams.event_log import EventLog, Fenced, LogUnavailable

logger = get_logger(__name__)

FENCED_EXIT_CODE: Final = 3
_STOP_SECONDS: Final = 8.0  # Docker kills after ten, and we promise ten
_MOST_YOUNG_OBJECTS: Final = 100_000  # more than one batch creates

Run = Callable[[EventLog, Health, Gauges, Event], None]


def run_process(service: str, settings: ServiceSettings, run: Run) -> int:
    """Call `run(log, health, gauges, stop)`. SIGTERM or SIGINT sets `stop` and starts the shutdown deadline.

    Health fails as STARTING until `run` marks that part as working. Health and gauges are reported to Redis meanwhile.

    Returns the exit code: 0 stopped, 3 fenced. Raises ConfigurationError when the health port is taken or REDIS_URL
    names a server of the wrong kind, and what `run` raises apart from Stopped and Fenced.
    """
    configure_logs(service, settings.log_format, settings.log_level)
    stop, health, gauges = Event(), Health(service), Gauges()
    log = open_log(settings, service, health)
    logger.info("starting", log=log.address, redis=redis_address(settings.redis_url), **settings.shown())
    health.failing(STARTING, "waiting for Redis and the event log")
    with (
        shutdown_deadline(_STOP_SECONDS),
        stop_on_signals(stop),
        health_endpoint(health, settings.health_port, settings.health_address, exposition(service, health, gauges)),
        reporting(service, settings, health, gauges, settings.kafka_instance_id) as reporter,
    ):
        try:
            check_server(settings.redis_url)
            run(log, health, gauges, stop)
        except Stopped:
            pass  # it was waiting for a dependency, with nothing left to finish
        except Fenced as error:
            logger.error("fenced: another process does this work", reason=str(error))  # noqa: TRY400 - not a bug, so no trace
            reporter.final_state = "fenced"
            return FENCED_EXIT_CODE
        finally:
            log.close()
    logger.info("stopped")
    return 0


def spare_garbage_collector() -> None:
    """Make Python look for reference cycles less often. Called once, after the imports and before the work.

    The objects of a batch die with it and form no cycles. By default the collector visits each of them several times,
    and all imported modules again and again, at a third of the cost of reading the log.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_MOST_YOUNG_OBJECTS)


def await_redis(settings: ServiceSettings, health: Health, stop: Event) -> None:
    """Wait until Redis answers, unhealthy meanwhile. Raises Stopped."""
    with connect(settings.redis_url) as client:
        name = f"Redis at {redis_address(settings.redis_url)}"
        Dependency(name, health, "redis").wait_for(client.ping, REDIS_UNAVAILABLE, stop)


def await_topics(log: EventLog, topics: Sequence[str], settings: ServiceSettings, health: Health, stop: Event) -> None:
    """Wait until the log answers and has the topics, unhealthy meanwhile. Raises Stopped."""
    specs = [topic_spec(settings, topic) for topic in topics]
    dependency = Dependency(f"the event log at {log.address}", health, "log")
    dependency.wait_for(lambda: log.ensure_topics(specs), LogUnavailable, stop)
    logger.info("ready", topics=list(topics))
