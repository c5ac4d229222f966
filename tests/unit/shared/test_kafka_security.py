"""Contradictory Kafka security settings are rejected, naming the variables."""

from pathlib import Path

import pytest

from shared.runtime.configuration import ConfigurationError
from shared.runtime.settings import ServiceSettings, read_settings
from tests.support.servers.certificates import Authority

BROKER = {"KAFKA_BROKER": "kafka:9092"}
LOGIN = {
    "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
    "KAFKA_SASL_USERNAME": "clickpulse",
    "KAFKA_SASL_PASSWORD": "hunter2",
}


def without(name: str) -> dict[str, str]:
    return {other: value for other, value in LOGIN.items() if other != name}


def complaints(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> list[str]:
    """The complaints, one per line; none when the settings are accepted."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    try:
        read_settings(ServiceSettings)
    except ConfigurationError as error:
        return str(error).splitlines()
    return []


@pytest.mark.parametrize(
    "variables",
    [
        {},
        BROKER,
        BROKER | {"KAFKA_SECURITY_PROTOCOL": "SSL"},
        BROKER | {"KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT"} | LOGIN,
        BROKER | {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SSL_CA_LOCATION": str(Path(__file__).parent)} | LOGIN,
    ],
)
def test_consistent_settings_are_accepted(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    assert complaints(monkeypatch, variables) == []


def test_certificates_are_read_at_startup(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ours")
    own, other = authority.certify("enrich"), authority.certify("detect")
    files = {
        "KAFKA_SSL_CA_LOCATION": str(authority.ca),
        "KAFKA_SSL_CERTIFICATE_LOCATION": str(own.chain),
        "KAFKA_SSL_KEY_LOCATION": str(own.key),
    }
    usable = BROKER | {"KAFKA_SECURITY_PROTOCOL": "SSL"} | files
    assert complaints(monkeypatch, usable) == []
    for variable, path, reason in (
        ("KAFKA_SSL_CA_LOCATION", __file__, "holds no certificate"),
        ("KAFKA_SSL_KEY_LOCATION", str(other.key), "is not the key of"),
    ):
        (told,) = complaints(monkeypatch, usable | {variable: path})
        assert told.startswith(f"{variable}: {path} {reason}")


@pytest.mark.parametrize(
    ("broker", "problem"),
    [
        ("kafka://kafka:9092", "KAFKA_BROKER: the address has a scheme"),
        ("PLAINTEXT://kafka:9092", "a scheme"),
        ("user:hunter2@kafka:9092", "a login"),
        ("kafka:9092,user:hunter2@kafka2:9092", "address 2 of 2 has a login"),
        ("kafka:9092,,kafka2:9092", "address 2 of 3 is empty"),
        ("kafka:abc", "a port that is not one"),
        ("kafka:99999", "a port that is not one"),
        ("kafka:", "no port after the colon"),
        ("kafka:9092/topic", "a path"),
        ("ka fka:9092", "a host that cannot be one"),
        ("::1:9092", "a host that cannot be one"),
    ],
)
def test_a_wrong_broker_is_rejected_with_an_example(monkeypatch: pytest.MonkeyPatch, broker: str, problem: str) -> None:
    (told,) = complaints(monkeypatch, {"KAFKA_BROKER": broker})
    assert told.startswith("KAFKA_BROKER: ")
    assert problem in told
    assert "KAFKA_BROKER=kafka:9092" in told
    assert "hunter2" not in told


@pytest.mark.parametrize("broker", ["kafka", "10.0.0.1:9092 , [::1]:9093", "b-1.shop_x.example:9094"])
def test_usual_brokers_are_accepted(monkeypatch: pytest.MonkeyPatch, broker: str) -> None:
    monkeypatch.setenv("KAFKA_BROKER", broker)
    assert read_settings(ServiceSettings).kafka_broker == broker.replace(" ", "")


@pytest.mark.parametrize("protocol", ["SASL_SSL", "SASL_PLAINTEXT"])
@pytest.mark.parametrize("missing", LOGIN)
def test_incomplete_login_is_rejected(monkeypatch: pytest.MonkeyPatch, protocol: str, missing: str) -> None:
    (complaint,) = complaints(monkeypatch, BROKER | {"KAFKA_SECURITY_PROTOCOL": protocol} | without(missing))
    assert complaint == f"{missing}: is not set, and KAFKA_SECURITY_PROTOCOL={protocol} needs it"


@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SSL"])
@pytest.mark.parametrize("given", LOGIN)
def test_login_without_a_login_protocol_is_rejected(monkeypatch: pytest.MonkeyPatch, protocol: str, given: str) -> None:
    variables = BROKER | {"KAFKA_SECURITY_PROTOCOL": protocol, given: LOGIN[given]}
    (complaint,) = complaints(monkeypatch, variables)
    assert complaint.startswith(f"{given}: is set, but KAFKA_SECURITY_PROTOCOL={protocol}")


def test_ca_without_encryption_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    (complaint,) = complaints(monkeypatch, BROKER | {"KAFKA_SSL_CA_LOCATION": __file__})
    assert complaint.startswith("KAFKA_SSL_CA_LOCATION: is set, but KAFKA_SECURITY_PROTOCOL=PLAINTEXT")


def test_missing_ca_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = BROKER | {"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_CA_LOCATION": "/no/such/ca.pem"}
    assert complaints(monkeypatch, variables) == ["KAFKA_SSL_CA_LOCATION: no file or folder /no/such/ca.pem"]


@pytest.mark.parametrize("given", ["CERTIFICATE", "KEY"])
def test_certificate_needs_its_key_and_the_reverse(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    variables = BROKER | {"KAFKA_SECURITY_PROTOCOL": "SSL", f"KAFKA_SSL_{given}_LOCATION": __file__}
    (complaint,) = complaints(monkeypatch, variables)
    assert complaint.startswith(f"KAFKA_SSL_{given}_LOCATION: is set, but KAFKA_SSL_")


def test_security_without_a_broker_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    found = complaints(monkeypatch, {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL"} | LOGIN)
    assert [line.partition(":")[0] for line in found] == ["KAFKA_SECURITY_PROTOCOL", *LOGIN]
    assert all("KAFKA_BROKER is not" in line for line in found)


def test_no_complaint_contains_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    found = complaints(monkeypatch, BROKER | LOGIN)
    assert len(found) == 3
    assert "hunter2" not in "\n".join(found)
