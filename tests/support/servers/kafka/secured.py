"""A Kafka that requires a login, by every mechanism, over plain and encrypted connections."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support.servers.kafka.broker import Kafka
from tests.support.servers.server_process import ServerMissing, free_port

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
_STORE_PASSWORD: Final = "keep-it-to-yourself"


@dataclass(frozen=True, slots=True)
class SecuredKafka:
    """Its addresses by security protocol, and certificates."""

    addresses: dict[str, str]
    ca: Path  # signed its certificate
    other_ca: Path  # did not


@contextmanager
def running_secured_kafka(folder: Path) -> Iterator[SecuredKafka]:
    """A Kafka that accepts USER with PASSWORD while the block runs. Raises ServerMissing."""
    own, other = _certified(folder / "broker"), _certified(folder / "other")
    ports = {protocol: free_port() for protocol in PROTOCOLS}
    options: dict[str, object] = {
        "sasl.enabled.mechanisms": ",".join(MECHANISMS),
        "ssl.keystore.type": "PKCS12",
        "ssl.keystore.location": own.with_suffix(".p12"),
        "ssl.keystore.password": _STORE_PASSWORD,
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
        yield SecuredKafka({protocol: f"127.0.0.1:{port}" for protocol, port in ports.items()}, own, other)
    finally:
        kafka.kill()


def _certified(name: Path) -> Path:
    """Make a key, NAME.p12, and its self-signed certificate, NAME.pem, with keytool. Returns the certificate."""
    keytool = shutil.which("keytool")
    if keytool is None:
        raise ServerMissing("no keytool on the PATH to make certificates with; it comes with Java")
    certificate = name.with_suffix(".pem")
    store = ("-keystore", str(name.with_suffix(".p12")), "-storetype", "PKCS12", "-storepass", _STORE_PASSWORD)
    made = ("-alias", "broker", "-keyalg", "EC", "-dname", "CN=127.0.0.1", "-ext", "san=ip:127.0.0.1")
    for command in (
        ("-genkeypair", *made, "-validity", "2", *store),
        ("-exportcert", "-alias", "broker", "-rfc", "-file", str(certificate), *store),
    ):
        subprocess.run([keytool, *command], check=True, capture_output=True)
    return certificate
