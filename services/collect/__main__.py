"""`clickpulse collect`: accepts clicks over HTTP and writes them to the raw topic."""

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from threading import Event
from typing import Final, TypeVar

import redis

from services.collect.app import Bounds, CollectApp, Document, Stream
from services.collect.appender import Appender
from services.collect.checking.command import check, is_page
from services.collect.checking.self_report import CHECK_PATH, self_report
from services.collect.dead_letters import SERVICE
from services.collect.keeping import Keeping
from services.collect.rules import Rules
from services.collect.script_document import script_document
from services.collect.settings import CollectSettings
from services.collect.shop.catalogue import read_catalogue
from services.collect.shop.documents import SHOP_SITE, Shop
from services.collect.shop.offers import OFFERS_PATH, Offers
from services.collect.sites import Sites, read_sites
from services.collect.tally import Tally
from shared.events.refusals import dead_letter_topic
from shared.privacy.pseudonyms import Pseudonyms
from shared.runtime.configuration import ConfigurationError
from shared.runtime.dependency import Dependency
from shared.runtime.http_server import serve
from shared.runtime.listening import listen
from shared.runtime.logs import get_logger
from shared.runtime.process import STARTING, run_process, spare_garbage_collector
from shared.runtime.redis_client import connect, redis_address
from shared.runtime.settings import read_settings
from shared.runtime.settings_help import service_parser
from shared.runtime.token_buckets import TokenBuckets
from shared.status.gauges import Gauges
from shared.status.health import Health
from shared.streams.choose import topic_spec
from shared.streams.event_log import EventLog, Producer

logger = get_logger(__name__)

Content = TypeVar("Content")

_DESCRIPTION: Final = (
    "Accept clicks over HTTP from our script, pixels and the trackers of Plausible, Segment, Snowplow and Umami, and "
    "write them to RAW_TOPIC. An event is accepted once the event log has acknowledged it."
)
_EXIT_CODES: Final = (
    "Exit codes: 0 stopped, 1 failed, 2 wrong option or setting, 3 another process does this work. "
    "With --check: 0 nothing is missing, 1 something is."
)
_BURST_SECONDS: Final = 10
_BACKLOG: Final = 2_048  # connections that wait to be taken


def main(argv: Sequence[str]) -> int:
    """Run until SIGTERM or SIGINT, or check a page. Returns the exit code. Raises ConfigurationError."""
    parser = service_parser(SERVICE, _DESCRIPTION, CollectSettings, _EXIT_CODES)
    parser.add_argument("--check", metavar="URL", help="instead, report what this page needs to be counted, and end")
    options = parser.parse_args(argv)
    settings = read_settings(CollectSettings)
    if options.check is not None:
        if not is_page(options.check):
            parser.error(f"--check: expected a page such as https://shop.example, got {options.check!r}")
        return check(options.check, settings.collect_script, _sites(settings))
    return run_process(SERVICE, settings, partial(_run, settings, _sites(settings), _shop(settings)))


def _sites(settings: CollectSettings) -> Sites:
    if settings.sites_file is None:
        return Sites()
    return _read("SITES_FILE", settings.sites_file, lambda content: read_sites(content.decode()))


def _shop(settings: CollectSettings) -> Shop | None:
    if settings.collect_shop is None:
        return None
    return Shop(_read("COLLECT_SHOP", settings.collect_shop, read_catalogue), SHOP_SITE, settings.collect_script)


def _read(setting: str, path: Path, read: Callable[[bytes], Content]) -> Content:
    """What a file holds. Raises ConfigurationError that names its setting."""
    try:
        return read(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{setting}: {path}: {error}") from None


def _run(
    settings: CollectSettings,
    sites: Sites,
    shop: Shop | None,
    log: EventLog,
    health: Health,
    gauges: Gauges,
    stop: Event,
) -> None:
    topics = [settings.raw_topic, dead_letter_topic(settings.raw_topic)]
    if sites.are_open:
        logger.warning("every site is accepted, from every page; SITES_FILE names those that are yours")
    spare_garbage_collector()
    with ExitStack() as stack:
        listening = stack.enter_context(
            listen(settings.collect_address, settings.collect_port, "COLLECT", example_port=8080, backlog=_BACKLOG)
        )
        client = stack.enter_context(connect(settings.redis_url))
        documents: dict[str, Document] = {settings.collect_script: script_document}
        streams: dict[str, Stream] = {}
        if shop is not None:
            topics.append(settings.offers_topic)
            offers = Offers(
                log,
                settings.offers_topic,
                _pseudonyms(settings, client),
                SHOP_SITE,
                Dependency(f"the event log at {log.address}, offers", health, "offers", is_optional=True),
                stop,
            )
            streams[OFFERS_PATH] = offers.stream
            offers.start()
            stack.callback(offers.join)
        appender = _appender(settings, stack.enter_context(log.producer()), client, log, topics, health, gauges, stop)
        documents[CHECK_PATH] = self_report(sites, settings.gpc, lambda: appender.is_accepting)
        app = CollectApp(
            Rules(
                sites,
                settings.limits,
                settings.gpc,
                TokenBuckets(settings.collect_events_per_second, _BURST_SECONDS * settings.collect_events_per_second),
                TokenBuckets(settings.collect_site_events_per_second, 2 * settings.collect_site_events_per_second),
            ),
            appender,
            Tally(gauges),
            Keeping(settings.collect_dead_letter_bytes_per_second, gauges, health),
            bounds=Bounds(settings.collect_max_body_bytes, settings.collect_max_events),
            trusted=settings.trusted_networks,
            raw_topic=settings.raw_topic,
            documents=documents,
            pages=None if shop is None else shop.answer,
            streams=streams,
        )
        logger.info("listening", address=settings.collect_address, port=settings.collect_port)
        appender.start()
        try:
            serve(
                app,
                app.turn_away,
                listening,
                stop,
                most_connections=settings.collect_connections,
                request_seconds=settings.collect_request_seconds,
                direct=app,
            )
        finally:
            stop.set()
            appender.stop()
    if appender.ended is not None:
        raise appender.ended


def _appender(
    settings: CollectSettings,
    producer: Producer,
    client: redis.Redis,
    log: EventLog,
    topics: Sequence[str],
    health: Health,
    gauges: Gauges,
    stop: Event,
) -> Appender:
    specs = [topic_spec(settings, topic) for topic in topics]
    return Appender(
        producer,
        settings.raw_topic,
        _pseudonyms(settings, client).of,
        log=Dependency(f"the event log at {log.address}", health, "log"),
        redis=Dependency(f"Redis at {redis_address(settings.redis_url)}", health, "redis"),
        health=health,
        prepare=lambda: log.ensure_topics(specs),
        ping_redis=client.ping,
        observe_seconds=gauges.time_batch,
        on_ready=lambda: health.working(STARTING),
        on_end=stop.set,
    )


def _pseudonyms(settings: CollectSettings, client: redis.Redis) -> Pseudonyms:
    """For one thread."""
    return Pseudonyms(
        client, settings.redis_prefix, "daily", settings.collect_salt, lambda: time.time_ns() // 1_000_000, SERVICE
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
