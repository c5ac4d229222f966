"""A Kafka that requires a login, by every mechanism and by certificate, over plain and encrypted connections."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support.servers.certificates import Authority, Certificate
from tests.support.servers.kafka.broker import Kafka
from tests.support.servers.server_process import free_port

USER: Final = "clickpulse"
PASSWORD: Final = "hunter2"
PROTOCOLS: Final = ("SASL_PLAINTEXT", "SASL_SSL", "SSL")
MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")

_SECURITY: Final = "org.apache.kafka.common.security"
_LOGINS: Final = {
    "PLAIN": f'{_SECURITY}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";',
    "SCRAM-SHA-256": f"{_SECURITY}.scram.ScramLoginModule required;",
    "SCRAM-SHA-512": f"{_SECURITY}.scram.ScramLoginModule required;",
}


@dataclass(frozen=True, slots=True)
class SecuredKafka:
    """Its addresses by security protocol, and certificates."""

    addresses: dict[str, str]
    ca: Path  # signed its certificate
    other_ca: Path  # did not
    client: Certificate  # what it asks clients for under SSL
    other_client: Certificate  # one of another authority


@contextmanager
def running_secured_kafka(folder: Path) -> Iterator[SecuredKafka]:
    """A Kafka that accepts USER with PASSWORD while the block runs. Raises ServerMissing."""
    ours, other = Authority(folder / "ours"), Authority(folder / "other")
    ports = {protocol: free_port() for protocol in PROTOCOLS}
    options: dict[str, object] = {
        "sasl.enabled.mechanisms": ",".join(MECHANISMS),
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": ours.certify("127.0.0.1").both,
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": ours.ca,
        "listener.name.ssl.ssl.client.auth": "required",
    }
    for protocol in ("sasl_plaintext", "sasl_ssl"):
        for mechanism, login in _LOGINS.items():
            options[f"listener.name.{protocol}.{mechanism.lower()}.sasl.jaas.config"] = login
    kafka = Kafka(
        folder,
        listeners=ports,
        options=options,
        users=[f"{mechanism}=[name={USER},password={PASSWORD}]" for mechanism in MECHANISMS if mechanism != "PLAIN"],
    )
    try:
        kafka.start()
        addresses = {protocol: f"127.0.0.1:{port}" for protocol, port in ports.items()}
        yield SecuredKafka(addresses, ours.ca, other.ca, ours.certify("enrich"), other.certify("enrich"))
    finally:
        kafka.kill()
