"""`clickpulse detect`: follows each visitor's path, sends special offers and writes the state log."""

import sys
import time
from collections.abc import Sequence
from functools import partial
from threading import Event
from typing import Final

from services.detect.machines import MachineStore
from services.detect.service import SERVICE, DetectService
from services.detect.settings import DetectSettings
from shared.events.refusals import dead_letter_topic
from shared.events.time_units import MINUTE_MS
from shared.privacy.erasure_watch import ErasureWatch
from shared.runtime.process import STARTING, await_redis, await_topics, run_process
from shared.runtime.redis_client import connect, redis_address
from shared.runtime.settings import read_settings
from shared.runtime.settings_help import service_parser
from shared.status.gauges import Gauges
from shared.status.health import Health
from shared.streams.event_log import EventLog
from shared.streams.observed import ObservedProcessor

_DESCRIPTION: Final = (
    "Follow each visitor through a state machine (clothing, shoes, other clothing within half an "
    "hour), send a special offer to OFFERS_TOPIC when a visitor completes it, and log the transitions to the "
    "Redis stream state_logs."
)


def main(argv: Sequence[str]) -> int:
    """Run until SIGTERM or SIGINT. Returns the exit code: 0 stopped, 3 fenced. Raises ConfigurationError."""
    service_parser(SERVICE, _DESCRIPTION, DetectSettings).parse_args(argv)
    settings = read_settings(DetectSettings)
    return run_process(SERVICE, settings, partial(_run, settings))


def _run(settings: DetectSettings, log: EventLog, health: Health, gauges: Gauges, stop: Event) -> None:
    await_redis(settings, health, stop)
    topics = settings.enriched_topic, settings.offers_topic, dead_letter_topic(settings.offers_topic)
    await_topics(log, topics, settings, health, stop)
    health.working(STARTING)
    window_ms = round(settings.detect_window_minutes * MINUTE_MS)
    with (
        connect(settings.redis_url) as client,
        ErasureWatch(client, settings.redis_prefix) as erasures,
        log.processor(settings.enriched_topic, SERVICE) as processor,
    ):
        DetectService(
            ObservedProcessor(processor, gauges),
            MachineStore(client, settings.redis_prefix, window_ms),
            enriched_topic=settings.enriched_topic,
            offers_topic=settings.offers_topic,
            window_ms=window_ms,
            health=health,
            stop=stop,
            now_ms=lambda: time.time_ns() // 1_000_000,
            log_address=log.address,
            redis_address=redis_address(settings.redis_url),
            current_erasures=erasures.current,
            limits=settings.limits,
            trusts_claims=settings.trust_claimed_profile,
        ).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
