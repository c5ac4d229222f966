"""The composition root of `clickpulse generate` and `clickpulse replay`; also `python -m services.traffic …`."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from threading import Event

from services.traffic import generate, replay, replay_options
from services.traffic.formats.entries import UnusableRecording
from services.traffic.lookups import write_lookups
from services.traffic.sending import Outbox
from services.traffic.settings import TrafficSettings
from shared.events.refusals import dead_letter_topic
from shared.runtime.logs import configure_logs, get_logger
from shared.runtime.redis_client import check_server
from shared.runtime.settings import CONFIGURATION_ERROR_EXIT_CODE, ConfigurationError, read_settings
from shared.runtime.signals import stop_on_signals
from shared.status.exposition import exposition
from shared.status.gauges import Gauges
from shared.status.health import Health
from shared.status.health_endpoint import health_endpoint
from shared.status.reporter import reporting
from shared.streams.choose import open_log, topic_spec
from shared.streams.event_log import Fenced, Producer

logger = get_logger(__name__)

_FENCED_EXIT_CODE = 3


def main_generate(argv: Sequence[str]) -> int:
    """Run `clickpulse generate` and return its exit code."""
    options = generate.parse(argv)
    if options.lookups is not None:
        try:
            write_lookups(options.world, options.lookups)
        except OSError as error:
            return _wrong("generate", f"argument --lookups: {error}")
        return 0

    def run(outbox: Outbox, stop: Event) -> int:
        logger.info("generating", rate=options.world.rate, seed=options.world.seed, visitors=options.world.visitors)
        sys.stdout.write(generate.generate(options, outbox, stop) + "\n")
        return 0

    return _run("generate", run)


def main_replay(argv: Sequence[str]) -> int:
    """Run `clickpulse replay` and return its exit code."""
    options = replay_options.parse(argv)

    def run(outbox: Outbox, stop: Event) -> int:
        exit_code, summary = replay.replay(options, outbox, stop)
        sys.stdout.write(summary + "\n")
        return exit_code

    try:
        return _run("replay", run)
    except UnusableRecording as error:
        return _wrong("replay", f"{options.file}: {error}")


def _run(service: str, run: Callable[[Outbox, Event], int]) -> int:
    try:
        return _run_with(read_settings(TrafficSettings), service, run)
    except ConfigurationError as error:
        return _wrong(service, str(error))


def _run_with(settings: TrafficSettings, service: str, run: Callable[[Outbox, Event], int]) -> int:
    configure_logs(service, settings.log_format, settings.log_level)
    stop, health, gauges = Event(), Health(service), Gauges()
    with ExitStack() as stack:
        stack.enter_context(stop_on_signals(stop))
        metrics = exposition(service, health, gauges)
        stack.enter_context(health_endpoint(health, settings.health_port, settings.health_address, metrics))
        check_server(settings.redis_url)
        reporter = stack.enter_context(reporting(service, settings, health, gauges))
        outbox = stack.enter_context(_outbox(settings, service, stop, health, gauges))
        try:
            return run(outbox, stop)
        except Fenced as error:
            logger.error("fenced", error=str(error))  # noqa: TRY400 - a traceback would not help
            reporter.final_state = "fenced"
            return _FENCED_EXIT_CODE


@contextmanager
def _outbox(settings: TrafficSettings, service: str, stop: Event, health: Health, gauges: Gauges) -> Iterator[Outbox]:
    with closing(open_log(settings, service)) as log:
        names = settings.raw_topic, dead_letter_topic(settings.raw_topic)
        topics = [topic_spec(settings, name) for name in names]

        def open_producer() -> Producer:
            log.ensure_topics(topics)
            return log.producer()

        logger.info("configuration", log=log.address, topic=settings.raw_topic)
        address = f"the event log at {log.address}"
        with closing(Outbox(open_producer, settings.raw_topic, address, stop, health, gauges)) as outbox:
            yield outbox


def _wrong(command: str, message: str) -> int:
    sys.stderr.write(f"clickpulse {command}: error: {message}\n")
    return CONFIGURATION_ERROR_EXIT_CODE


def main(argv: Sequence[str]) -> int:
    """Run the command named by the first argument."""
    commands = {"generate": main_generate, "replay": main_replay}
    if not argv or argv[0] not in commands:
        return _wrong("traffic", f"expected a command: {' or '.join(commands)}")
    return commands[argv[0]](argv[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
