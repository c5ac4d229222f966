"""`clickpulse enrich`: adds product, visitor, country and device to each raw click."""

import sys
import time
from collections.abc import Sequence
from functools import partial
from threading import Event
from typing import Final

import redis

from services.enrich.attributes.country import Allocations, Countries
from services.enrich.attributes.geoip import GeoIpFile
from services.enrich.dead_letters.flood import FloodAlarm
from services.enrich.lookups.circuit_breaker import LookupCircuitBreaker
from services.enrich.lookups.redis_lookups import MOST_REPLY_BYTES, PLAIN_NAMES, Lookups, Names
from services.enrich.privacy.lookup_names import LookupNames
from services.enrich.service import SERVICE, EnrichService, Route
from services.enrich.settings import EnrichSettings
from services.enrich.tally import Tally
from shared.events.refusals import dead_letter_topic
from shared.privacy.erasure_watch import ErasureWatch
from shared.privacy.pseudonyms import Pseudonyms
from shared.runtime.process import STARTING, await_redis, await_topics, run_process, spare_garbage_collector
from shared.runtime.redis_client import connect, redis_address
from shared.runtime.settings import read_settings
from shared.runtime.settings_help import service_parser
from shared.status.gauges import Gauges
from shared.status.health import Health
from shared.streams.event_log import EventLog
from shared.streams.observed import ObservedProcessor

_DESCRIPTION: Final = (
    "Read raw clicks from RAW_TOPIC, add product, visitor, country and device to each, and write them to "
    "ENRICHED_TOPIC, keyed by userId. Unreadable events go to RAW_TOPIC-dlq with the reason."
)


def main(argv: Sequence[str]) -> int:
    """Run until SIGTERM or SIGINT. Returns the exit code: 0 stopped, 3 fenced. Raises ConfigurationError."""
    service_parser(SERVICE, _DESCRIPTION, EnrichSettings).parse_args(argv)
    settings = read_settings(EnrichSettings)
    return run_process(SERVICE, settings, partial(_run, settings))


def _run(settings: EnrichSettings, log: EventLog, health: Health, gauges: Gauges, stop: Event) -> None:
    countries = Countries(
        GeoIpFile(settings.geoip_mmdb, time.monotonic, health) if settings.geoip_mmdb is not None else Allocations()
    )
    if settings.lookup_on_failure == "wait":
        await_redis(settings, health, stop)
    topics = settings.raw_topic, settings.enriched_topic, dead_letter_topic(settings.raw_topic)
    await_topics(log, topics, settings, health, stop)
    health.working(STARTING)
    spare_garbage_collector()
    with (
        connect(settings.redis_url) as client,
        connect(settings.redis_url, most_reply_bytes=MOST_REPLY_BYTES) as lookup_client,
        ErasureWatch(client, settings.redis_prefix, key=settings.erasure_key) as erasures,
        log.processor(settings.raw_topic, SERVICE) as processor,
    ):
        lookups = Lookups(
            lookup_client,
            settings.redis_prefix,
            found_seconds=settings.lookup_cache_seconds,
            missing_seconds=settings.lookup_missing_seconds,
            cache_entries=settings.lookup_cache_entries,
            clock=time.monotonic,
            names=_names(settings, client),
            limits=settings.limits,
        )
        route = Route(
            raw_topic=settings.raw_topic,
            enriched_topic=settings.enriched_topic,
            log_address=log.address,
            redis_address=redis_address(settings.redis_url),
            batch_records=settings.enrich_batch_records,
        )
        tally = Tally(time.monotonic, FloodAlarm(settings.bad_input_share, health, time.monotonic), gauges)
        EnrichService(
            ObservedProcessor(processor, gauges),
            lookups
            if settings.lookup_on_failure == "wait"
            else LookupCircuitBreaker(lookups, route.redis_address, tally=tally, health=health, clock=time.monotonic),
            route,
            tally=tally,
            health=health,
            stop=stop,
            countries=countries,
            pseudonyms=_pseudonyms(settings, client),
            rules=settings.rules,
            current_erasures=erasures.current,
        ).run()


def _names(settings: EnrichSettings, client: redis.Redis) -> Names:
    if settings.hash_user_id == "off":
        return PLAIN_NAMES
    return LookupNames(client, settings.redis_prefix, settings.hash_salt)


def _pseudonyms(settings: EnrichSettings, client: redis.Redis) -> Pseudonyms | None:
    rotation = settings.hash_user_id
    if rotation == "off":
        return None
    return Pseudonyms(client, settings.redis_prefix, rotation, settings.hash_salt, lambda: time.time_ns() // 1_000_000)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
