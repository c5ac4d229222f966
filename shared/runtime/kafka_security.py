"""Rejects contradictory Kafka security settings at startup; with them, the client would retry forever."""

from pathlib import Path


def contradictions(
    *,
    broker: str | None,
    protocol: str,
    mechanism: str | None,
    username: str | None,
    password: str | None,
    ca_location: str | None,
) -> list[str]:
    """One complaint per variable that contradicts the others, as `VARIABLE: …`. Contains no secrets."""
    credentials = {
        "KAFKA_SASL_MECHANISM": mechanism,
        "KAFKA_SASL_USERNAME": username,
        "KAFKA_SASL_PASSWORD": password,
    }
    given = [name for name, value in credentials.items() if value is not None]
    if broker is None:
        secured = [*given]
        if protocol != "PLAINTEXT":
            secured.insert(0, "KAFKA_SECURITY_PROTOCOL")
        if ca_location is not None:
            secured.append("KAFKA_SSL_CA_LOCATION")
        return [
            f"{name}: is set, but KAFKA_BROKER is not, so the event log would be Redis Streams; set both or neither"
            for name in secured
        ]
    if protocol.startswith("SASL_"):
        found = [
            f"{name}: is not set, and KAFKA_SECURITY_PROTOCOL={protocol} needs it"
            for name in credentials
            if name not in given
        ]
    else:
        found = [
            f"{name}: is set, but KAFKA_SECURITY_PROTOCOL={protocol} has no login; expected SASL_SSL or SASL_PLAINTEXT"
            for name in given
        ]
    if ca_location is not None:
        if not protocol.endswith("SSL"):
            found.append(
                f"KAFKA_SSL_CA_LOCATION: is set, but KAFKA_SECURITY_PROTOCOL={protocol} is not encrypted; "
                "expected SSL or SASL_SSL"
            )
        elif not Path(ca_location).exists():
            found.append(f"KAFKA_SSL_CA_LOCATION: no file or folder {ca_location}")
    return found
