"""A Kafka whose users have passwords and no rights, set up as `docker-compose.yml` does."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.support.servers.kafka.broker import Kafka
from tests.support.servers.server_process import free_port

_LISTENER: Final = "SASL_PLAINTEXT"


@contextmanager
def running_kafka_with_rights(folder: Path, logins: Path) -> Iterator[str]:
    """The address of a Kafka with the logins that `clickpulse access write` wrote. Raises ServerMissing."""
    port = free_port()
    options: dict[str, object] = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        # Anonymous is the broker itself, on a listener that only tests have.
        "super.users": "User:broker;User:operator;User:ANONYMOUS",
        "sasl.enabled.mechanisms": "PLAIN",
        "config.providers": "file",
        "config.providers.file.class": "org.apache.kafka.common.config.provider.FileConfigProvider",
        f"listener.name.{_LISTENER.lower()}.plain.sasl.jaas.config": f"${{file:{logins / 'broker.properties'}:logins}}",
    }
    kafka = Kafka(folder, listeners={_LISTENER: port}, options=options)
    try:
        kafka.start()
        yield f"127.0.0.1:{port}"
    finally:
        kafka.kill()
