"""A real Kafka behind SASL and TLS: valid logins work, invalid ones are reported and waited out."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.runtime.settings import ServiceSettings
from shared.streams.choose import open_log
from shared.streams.event_log import Consumer, EventLog, LogUnavailable, NewRecord, Processor, Record
from tests.support.polling import eventually
from tests.support.servers.certificates import Certificate
from tests.support.servers.event_logs import Owner, a_group, a_topic, append
from tests.support.servers.kafka.secured import MECHANISMS, PASSWORD, USER, SecuredKafka, running_secured_kafka
from tests.support.servers.server_process import ServerMissing

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(300)]

LOGINS = [(protocol, mechanism) for protocol in ("SASL_SSL", "SASL_PLAINTEXT") for mechanism in MECHANISMS]


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    try:
        with running_secured_kafka(tmp_path_factory.mktemp("kafka-login")) as kafka:
            eventually(lambda: _answers(kafka), "an answer", 60)
            yield kafka
    except ServerMissing as missing:
        if os.environ.get("CI"):
            pytest.fail(str(missing))
        pytest.skip(str(missing))


def _answers(kafka: SecuredKafka) -> bool:
    """It listens before it answers."""
    try:
        opened(options(kafka, "SASL_SSL", "PLAIN")).ensure_topics([])
    except LogUnavailable:
        return False
    return True


def options(
    kafka: SecuredKafka, protocol: str, mechanism: str | None, password: str = PASSWORD, ca: Path | None = None
) -> dict[str, str]:
    """The settings of a login, by variable."""
    login = {} if mechanism is None else {"KAFKA_SASL_USERNAME": USER, "KAFKA_SASL_PASSWORD": password}
    return {
        "KAFKA_BROKER": kafka.addresses[protocol],
        "KAFKA_SECURITY_PROTOCOL": protocol,
        **({"KAFKA_SASL_MECHANISM": mechanism} if mechanism else {}),
        **({"KAFKA_SSL_CA_LOCATION": str(ca or kafka.ca)} if protocol.endswith("SSL") else {}),
        **(certificate(kafka.client) if protocol == "SSL" else {}),
        **login,
    }


def certificate(client: Certificate) -> dict[str, str]:
    return {
        "KAFKA_SSL_CERTIFICATE_LOCATION": str(client.chain),
        "KAFKA_SSL_KEY_LOCATION": str(client.key),
    }


def opened(chosen: dict[str, str]) -> EventLog:
    return open_log(ServiceSettings.model_validate({name.lower(): value for name, value in chosen.items()}), "test")


def first_record(reader: Consumer | Processor) -> Record:
    """Connecting and logging in may take longer than a poll. Retries, like the services."""

    def polled() -> Record | None:
        try:
            return next(iter(reader.poll(1, 0.5)), None)
        except LogUnavailable:
            return None

    return eventually(polled, "the first record")


def refusal_of(chosen: dict[str, str], reason: str) -> str:
    """The error with the reason. Retries, because a busy broker may give it too late."""

    def refused() -> str | None:
        with pytest.raises(LogUnavailable) as refusal:
            a_topic(opened(chosen))
        return str(refusal.value) if re.search(reason, str(refusal.value)) else None

    return eventually(refused, reason)


@pytest.mark.parametrize(("protocol", "mechanism"), [*LOGINS, ("SSL", None)])
def test_a_valid_login_writes_reads_and_uses_transactions(
    kafka: SecuredKafka, protocol: str, mechanism: str | None
) -> None:
    log = opened(options(kafka, protocol, mechanism))
    source, target, group = a_topic(log), a_topic(log), a_group()
    append(log, source, b"click")
    with log.processor(source, group) as processor:
        record = first_record(processor)
        processor.send([NewRecord(target, record.key, record.value + b", enriched")], {0: record.offset + 1})
    with log.consumer(target, a_group(), Owner()) as consumer:
        assert first_record(consumer).value == b"click, enriched"
        consumer.commit({0: 1})


@pytest.mark.parametrize(("protocol", "mechanism"), LOGINS)
def test_a_wrong_password_is_reported(kafka: SecuredKafka, protocol: str, mechanism: str) -> None:
    guessed = options(kafka, protocol, mechanism, password="guess")
    assert "guess" not in refusal_of(guessed, "Authentication failed|Invalid username or password")


def test_a_ca_that_did_not_sign_the_brokers_certificate_is_reported(kafka: SecuredKafka) -> None:
    refusal_of(options(kafka, "SASL_SSL", "SCRAM-SHA-256", ca=kafka.other_ca), "certificate verify failed")


def test_a_client_without_a_certificate_is_reported(kafka: SecuredKafka) -> None:
    login = options(kafka, "SSL", None)
    without = {name: value for name, value in login.items() if "CERTIFICATE" not in name and "KEY" not in name}
    refusal_of(without, "_TRANSPORT|certificate")


def test_a_certificate_of_another_authority_is_reported(kafka: SecuredKafka) -> None:
    refusal_of(options(kafka, "SSL", None) | certificate(kafka.other_client), "_TRANSPORT|certificate")


@pytest.mark.parametrize(
    ("port", "protocol", "reason"),
    [
        ("SSL", "PLAINTEXT", "KAFKA_SECURITY_PROTOCOL=PLAINTEXT, but .* speaks TLS; expected SSL or SASL_SSL"),
        ("SASL_SSL", "SASL_PLAINTEXT", "KAFKA_SECURITY_PROTOCOL=SASL_PLAINTEXT, but .* speaks TLS"),
        ("SASL_PLAINTEXT", "SASL_SSL", "KAFKA_SECURITY_PROTOCOL=SASL_SSL, but .* closes TLS connections"),
        ("SASL_PLAINTEXT", "PLAINTEXT", "if it asks for a login, set KAFKA_SECURITY_PROTOCOL=SASL_PLAINTEXT"),
    ],
)
def test_a_mismatch_of_tls_and_login_is_named(kafka: SecuredKafka, port: str, protocol: str, reason: str) -> None:
    login = (
        options(kafka, protocol, "PLAIN" if protocol.startswith("SASL") else None) if protocol != "PLAINTEXT" else {}
    )
    refusal_of(login | {"KAFKA_SECURITY_PROTOCOL": protocol, "KAFKA_BROKER": kafka.addresses[port]}, reason)


@pytest.mark.parametrize(
    ("service", "wrong", "reason"),
    [
        ("enrich", {"KAFKA_SASL_PASSWORD": "guess"}, "Authentication failed"),
        ("aggregate", {"KAFKA_SASL_PASSWORD": "guess"}, "Authentication failed"),
        ("aggregate", {"KAFKA_SSL_CA_LOCATION": ""}, "verify failed"),
    ],
)
def test_a_rejected_service_logs_waits_and_stops_when_asked(
    kafka: SecuredKafka, redis_url: str, tmp_path: Path, service: str, wrong: dict[str, str], reason: str
) -> None:
    refused = options(kafka, "SASL_SSL", "SCRAM-SHA-512") | wrong | {"LOG_FORMAT": "json"}
    own = {"REDIS_URL": redis_url, "STATE_DIR": str(tmp_path / "state")}
    log = tmp_path / "log"
    with log.open("wb") as stderr:
        command = [sys.executable, "-m", "services.cli", service]
        process = subprocess.Popen(command, env=os.environ | refused | own, stderr=stderr)
    try:
        eventually(lambda: '"waiting"' in log.read_text(), "the line waiting")
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
    (line,) = [line for line in log.read_text().splitlines() if '"waiting"' in line]
    assert reason in line
    assert "guess" not in log.read_text()
    assert "Traceback" not in log.read_text()
