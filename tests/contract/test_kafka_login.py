"""Logging in to a real Kafka by SASL: who may goes on, and who may not is told why."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.settings import ServiceSettings
from shared.streams import EventLog, LogUnavailable
from shared.streams.choose import open_log
from tests.contract.event_logs import Owner, a_group, a_topic, append, read, values
from tests.servers import Kafka, ServerMissing, free_port

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

LOGIN = "org.apache.kafka.common.security.plain.PlainLoginModule"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Kafka that takes the user clickpulse with the password hunter2."""
    folder = tmp_path_factory.mktemp("kafka-login")
    try:
        kafka = Kafka(folder)
    except ServerMissing as missing:
        if os.environ.get("CI"):
            pytest.fail(str(missing))
        pytest.skip(str(missing))
    address = f"127.0.0.1:{free_port()}"
    require_login(folder / "server.properties", address)
    try:
        kafka.start()
        yield address
    finally:
        kafka.kill()


def require_login(properties: Path, address: str) -> None:
    """Add a listener at `address` that is for those who log in."""
    added = {
        "listeners=": f",SASL_PLAINTEXT://{address}",
        "advertised.listeners=": f",SASL_PLAINTEXT://{address}",
        "listener.security.protocol.map=": ",SASL_PLAINTEXT:SASL_PLAINTEXT",
    }
    lines = [
        line + next((more for option, more in added.items() if line.startswith(option)), "")
        for line in properties.read_text().splitlines()
    ]
    lines += [
        "sasl.enabled.mechanisms=PLAIN",
        f'listener.name.sasl_plaintext.plain.sasl.jaas.config={LOGIN} required user_clickpulse="hunter2";',
    ]
    properties.write_text("\n".join(lines) + "\n")


def log_in(address: str, password: str, mechanism: str = "PLAIN") -> EventLog:
    settings = {
        "kafka_broker": address,
        "kafka_security_protocol": "SASL_PLAINTEXT",
        "kafka_sasl_mechanism": mechanism,
        "kafka_sasl_username": "clickpulse",
        "kafka_sasl_password": password,
    }
    return open_log(ServiceSettings.model_validate(settings), "test")


def test_who_logs_in_writes_and_reads(address: str) -> None:
    log = log_in(address, "hunter2")
    topic = a_topic(log)
    append(log, topic, b"click")
    with log.consumer(topic, a_group(), Owner()) as consumer:
        assert values(read(consumer, 1)) == [b"click"]


@pytest.mark.parametrize(
    ("password", "mechanism", "reason"),
    [("guess", "PLAIN", "Invalid username or password"), ("hunter2", "SCRAM-SHA-512", "supported mechanisms: PLAIN")],
)
def test_who_is_refused_is_told_why(address: str, password: str, mechanism: str, reason: str) -> None:
    with pytest.raises(LogUnavailable, match=reason) as refusal:
        a_topic(log_in(address, password, mechanism))
    assert password not in str(refusal.value)
