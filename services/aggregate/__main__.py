"""`clickpulse aggregate`: keeps exact windows over enriched clicks and publishes rollups to Redis every second."""

import secrets
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from threading import Event
from typing import Final

from services.aggregate.columns.goals import Goals
from services.aggregate.goals_file import read_goals
from services.aggregate.goals_watch import GoalsWatch
from services.aggregate.publishing.other_readers import OtherReaders
from services.aggregate.publishing.publisher import RedisPublisher
from services.aggregate.publishing.sender import Sender
from services.aggregate.publishing.timed_publisher import TimedPublisher
from services.aggregate.service import AggregateService
from services.aggregate.settings import SERVICE, AggregateSettings
from services.aggregate.state.folder import folder_of_group
from shared.events.refusals import dead_letter_topic
from shared.privacy.erasure_list import PublishedSite
from shared.privacy.erasure_watch import ErasureWatch
from shared.runtime.process import STARTING, await_topics, run_process, spare_garbage_collector
from shared.runtime.redis_client import connect
from shared.runtime.settings import read_settings
from shared.runtime.settings_help import service_parser
from shared.status.gauges import Gauges
from shared.status.health import Health
from shared.status.sampler import replica_name
from shared.streams.event_log import EventLog

_QUICK_SECONDS: Final = 0.5
_DESCRIPTION: Final = (
    "Read enriched clicks from ENRICHED_TOPIC, keep exact windows over them in STATE_DIR and publish "
    "the rollups to Redis every second."
)


def main(argv: Sequence[str]) -> int:
    """Run until SIGTERM or SIGINT. Returns the exit code: 0 stopped, 3 fenced. Raises ConfigurationError."""
    service_parser(SERVICE, _DESCRIPTION, AggregateSettings).parse_args(argv)
    settings = read_settings(AggregateSettings)
    goals = read_goals(settings.goals_file)
    return run_process(SERVICE, settings, partial(_run, settings, goals))


def _run(settings: AggregateSettings, goals: Goals, log: EventLog, health: Health, gauges: Gauges, stop: Event) -> None:
    topic = settings.enriched_topic
    await_topics(log, (topic, dead_letter_topic(topic)), settings, health, stop)
    spare_garbage_collector()
    gauges.state_directory = settings.topic_state_dir
    health.working(STARTING)  # does not wait for Redis: folding works without it
    # The contexts close in reverse order: the loop ends with a last rollup, the consumer checkpoints and closes the
    # partitions, and the sender publishes its last offer.
    with ExitStack() as stack:
        stack.enter_context(folder_of_group(settings.topic_state_dir, settings.site or ""))
        stack.enter_context(GoalsWatch(settings.goals_file, goals, health))
        client = stack.enter_context(connect(settings.redis_url))
        replica = replica_name(settings.kafka_instance_id)
        # The random part distinguishes this start from earlier ones, because the process id in a container is often 1.
        name = f"{replica}:{secrets.token_hex(4)}"
        publisher = TimedPublisher(RedisPublisher(client, settings, name, replica, health), gauges)
        sender = stack.enter_context(Sender(publisher, health))
        quick = stack.enter_context(connect(settings.redis_url, timeout_seconds=_QUICK_SECONDS))
        others = OtherReaders(quick, settings.redis_prefix, SERVICE, replica)
        site = None if settings.site is None else PublishedSite(settings.site, settings.redis_prefix)
        erasures = stack.enter_context(ErasureWatch(client, settings.shared_prefix, topic=topic, site=site))
        service = AggregateService(
            settings,
            producer=stack.enter_context(log.producer()),
            offer=sender.offer,
            health=health,
            gauges=gauges,
            erasures=erasures,
            others_read=others,
            goals=goals,
            clock=time.time,
            stop=stop,
        )
        service.run(stack.enter_context(log.consumer(topic, settings.group, service)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
