"""What both commands need: the log, Redis, the topics with their facts, and the visitor's ids."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event
from typing import Final

import redis

from services.enrich.erasure.identity import LONGEST_MS, Identity, identity_of
from services.enrich.erasure.records import records_of
from services.enrich.erasure.settings import ErasureSettings
from services.enrich.erasure.stored import Redis
from shared.events.refusals import dead_letter_topic
from shared.privacy.erasure_list import ErasureList, PublishedSite
from shared.privacy.visitor_history import HistoryUnavailable, OpenHistory, VisitorHistory
from shared.runtime.dependency import Dependency
from shared.runtime.logs import configure_logs, get_logger
from shared.runtime.redis_client import connect, redis_address, wait_out
from shared.runtime.settings import read_settings
from shared.runtime.signals import stop_on_signals
from shared.streams.choose import open_log
from shared.streams.event_log import EventLog, LogUnavailable, Record, TopicFacts

logger = get_logger(__name__)

FAILURES: Final = (LogUnavailable, redis.RedisError, HistoryUnavailable)
"""Which end a command with exit code 1."""


@dataclass(frozen=True, slots=True)
class Site:
    """A running site, as the commands see it."""

    settings: ErasureSettings
    log: EventLog
    redis: Redis
    topics: Mapping[str, TopicFacts]  # those that exist
    kept_ms: int | None  # the longest time for which any of them keeps a record; None: for good
    history: VisitorHistory | None
    stop: Event

    def identity(self, user_id: str, now_ms: int) -> Identity:
        """The ids under which the visitor may be stored."""
        # History keeps events for months, and the ids of their visitors for good.
        kept_ms = LONGEST_MS if self.kept_ms is None or self.history is not None else self.kept_ms
        secret = self.settings.hash_salt if self.settings.hash_user_id != "off" else None
        return identity_of(self.redis.client, self.redis.prefix, user_id, secret=secret, kept_ms=kept_ms, now_ms=now_ms)

    def published_sites(self, now_ms: int) -> list[PublishedSite]:
        """The sites that aggregate publishes under prefixes of their own."""
        return ErasureList(self.redis.client, self.redis.prefix).sites(now_ms)

    def publishing(self, now_ms: int) -> list[Redis]:
        """Redis with each prefix that aggregate publishes under."""
        prefixes = dict.fromkeys([self.redis.prefix, *(site.prefix for site in self.published_sites(now_ms))])
        return [Redis(self.redis.client, prefix) for prefix in prefixes]

    def records(self, topic: str, visitors: Iterable[Identity]) -> Iterator[tuple[str, Record]]:
        """The visitors' records in a topic, each with its visitor's original id."""
        return records_of(self.log, topic, visitors, self.stop)


@contextmanager
def opened_site(command: str, stop: Event, open_history: OpenHistory) -> Iterator[Site]:
    """Read the settings, connect, and wait until Redis and the log answer.

    Raises ConfigurationError, Stopped, and what redis-py raises for a lasting error, such as a missing right. The
    client waits for all others to pass, at any time.
    """
    settings = read_settings(ErasureSettings)
    configure_logs(command, settings.log_format, settings.log_level)
    log = open_log(settings, command)
    try:
        with (
            stop_on_signals(stop),
            open_history(settings.history_url, settings.history_dir) as history,
            connect(settings.redis_url) as client,
        ):
            wait_out(client, Dependency(f"Redis at {redis_address(settings.redis_url)}"), stop)
            client.ping()
            facts = Dependency(f"the event log at {log.address}").wait_for(
                lambda: log.facts(topics_of(settings)), LogUnavailable, stop
            )
            kept = [topic.kept_ms for topic in facts.values()]
            kept_ms = None if None in kept else max([settings.retention_ms, *filter(None, kept)])
            yield Site(settings, log, Redis(client, settings.redis_prefix), facts, kept_ms, history, stop)
    finally:
        log.close()


def topics_of(settings: ErasureSettings) -> Sequence[str]:
    """The topics that may hold records of a visitor."""
    return (
        settings.raw_topic,
        dead_letter_topic(settings.raw_topic),
        settings.enriched_topic,
        dead_letter_topic(settings.enriched_topic),
        settings.offers_topic,
        dead_letter_topic(settings.offers_topic),
    )
