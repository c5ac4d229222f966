"""Rejects contradictory Kafka security settings at startup; with them, the client would retry forever."""

from shared.runtime.certificates import lonely_certificate, missing_files, unusable_ca, unusable_certificate


def contradictions(
    *,
    broker: str | None,
    protocol: str,
    mechanism: str | None,
    username: str | None,
    password: str | None,
    ca_location: str | None,
    certificate_location: str | None,
    key_location: str | None,
) -> list[str]:
    """One complaint per variable that contradicts the others, as `VARIABLE: …`. Contains no secrets."""
    credentials = {
        "KAFKA_SASL_MECHANISM": mechanism,
        "KAFKA_SASL_USERNAME": username,
        "KAFKA_SASL_PASSWORD": password,
    }
    files = {
        "KAFKA_SSL_CA_LOCATION": ca_location,
        "KAFKA_SSL_CERTIFICATE_LOCATION": certificate_location,
        "KAFKA_SSL_KEY_LOCATION": key_location,
    }
    given = [name for name, value in credentials.items() if value is not None]
    given_files = {name: path for name, path in files.items() if path is not None}
    if broker is None:
        secured = [*given, *given_files]
        if protocol != "PLAINTEXT":
            secured.insert(0, "KAFKA_SECURITY_PROTOCOL")
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
    if not protocol.endswith("SSL"):
        return found + [
            f"{name}: is set, but KAFKA_SECURITY_PROTOCOL={protocol} is not encrypted; expected SSL or SASL_SSL"
            for name in given_files
        ]
    pair = ("KAFKA_SSL_CERTIFICATE_LOCATION", certificate_location, "KAFKA_SSL_KEY_LOCATION", key_location)
    return [
        *found,
        *missing_files(given_files),
        *unusable_ca("KAFKA_SSL_CA_LOCATION", ca_location, may_be_folder=True),
        *lonely_certificate(*pair),
        *unusable_certificate(*pair),
    ]
