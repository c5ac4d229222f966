"""`clickpulse access`: lists and grants the rights of each service in Redis and Kafka, and generates its passwords."""

import argparse
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from threading import Event
from typing import Final

from services.access.kafka_rights import kafka_rights
from services.access.logins import shown_login, write_logins
from services.access.redis_rights import RedisRights, redis_rights
from services.access.settings import AccessSettings
from shared.runtime.dependency import Dependency, Stopped
from shared.runtime.logs import configure_logs, get_logger
from shared.runtime.settings import ConfigurationError, read_settings
from shared.runtime.settings_help import settings_help
from shared.runtime.signals import stop_on_signals
from shared.streams.event_log import LogUnavailable

_DESCRIPTION: Final = """\
Rights of the services in Redis and Kafka, for the topics, groups and prefix of the settings.

  list          print an ACL file for Redis without passwords, and the ACLs for Kafka
  write FOLDER  generate a password for each service that has none, and write them and the servers' files into FOLDER
  show FOLDER USER  print the logins of a user in FOLDER, to evaluate in a shell
  grant         give the services their rights in the Kafka at KAFKA_BROKER, as a user who may"""

logger = get_logger(__name__)


def main(argv: Sequence[str]) -> int:
    """Run one job. Returns the exit code: 0 done, 1 failed. Raises ConfigurationError."""
    parser = argparse.ArgumentParser(
        prog="clickpulse access",
        description=_DESCRIPTION,
        epilog=f"{settings_help(AccessSettings)}\n\nExit codes: 0 done, 1 failed, 2 wrong option or setting.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    jobs = parser.add_subparsers(dest="job", required=True, metavar="list | write | show | grant")
    jobs.add_parser("list")
    jobs.add_parser("write").add_argument("folder", type=Path)
    show = jobs.add_parser("show")
    show.add_argument("folder", type=Path)
    show.add_argument("user")
    jobs.add_parser("grant")
    options = parser.parse_args(argv)
    settings = read_settings(AccessSettings)
    configure_logs("access", settings.log_format, settings.log_level)
    try:
        match options.job:
            case "write":
                write_logins(options.folder, _redis(settings), kafka_rights(settings.names), settings.redis_prefix)
            case "show":
                sys.stdout.write(shown_login(options.folder, options.user) + "\n")
            case "grant":
                return _grant(settings)
            case _:
                sys.stdout.write(_listed(settings))
    except OSError as error:
        logger.error("failed", reason=str(error))  # noqa: TRY400 - no trace wanted
        return 1
    return 0


def _redis(settings: AccessSettings) -> tuple[RedisRights, ...]:
    given = {
        "REDIS_PREFIX": settings.redis_prefix,
        "RAW_TOPIC": settings.raw_topic,
        "ENRICHED_TOPIC": settings.enriched_topic,
        "OFFERS_TOPIC": settings.offers_topic,
        "AGGREGATE_GROUP": settings.aggregate_group,
    }
    for name, text in given.items():
        if any(letter.isspace() or letter == "\0" for letter in text):
            raise ConfigurationError(f"{name}: expected no white space, which an ACL file cannot hold, got {text!r}")
    return redis_rights(settings.names, is_log_on_redis=settings.kafka_broker is None)


def _listed(settings: AccessSettings) -> str:
    lines = [right.line(settings.redis_prefix, None) for right in _redis(settings)]
    lines += [
        f"kafka-acls.sh --add --allow-principal User:{right.user} --operation {right.operation} "
        f"--{right.resource} '{right.name}'{' --resource-pattern-type prefixed' if right.is_prefix else ''}"
        for right in kafka_rights(settings.names)
    ]
    return "\n".join(lines) + "\n"


def _grant(settings: AccessSettings) -> int:
    if settings.kafka_broker is None:
        raise ConfigurationError("KAFKA_BROKER: is not set; expected the Kafka to grant rights in")
    # Imported here because it takes a second.
    with warnings.catch_warnings(record=True):  # Authlib, which the client brings, warns where httpx2 is missing
        from shared.streams.kafka.access import grant

    stop = Event()
    rights = kafka_rights(settings.names)
    with stop_on_signals(stop):
        dependency = Dependency(f"Kafka at {settings.kafka_broker}")
        try:
            dependency.wait_for(lambda: grant(settings, rights), LogUnavailable, stop)
        except Stopped:
            return 1
    logger.info("granted", rights=len(rights))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
