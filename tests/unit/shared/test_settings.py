"""Settings: complaints name the variable, and no secret reaches a log line or a complaint."""

import pytest

from shared.runtime.configuration import ConfigurationError
from shared.runtime.settings import ServiceSettings, read_settings
from shared.streams.choose import topic_spec


@pytest.mark.parametrize(
    ("variable", "given", "expected"),
    [
        ("PARTITIONS", "0", "greater than or equal to 1"),
        ("RETENTION_HOURS", "8", "greater than or equal to 9"),
        ("HEALTH_PORT", "70000", "less than or equal to 65535"),
        ("LOG_FORMAT", "xml", "'auto', 'console' or 'json'"),
        ("KAFKA_SASL_MECHANISM", "GUESS", "SCRAM-SHA-256"),
        ("REDIS_URL", "http://here", "redis"),
        ("HEALTH_PORT", "abc", "for example HEALTH_PORT=8081"),
        ("RETENTION_HOURS", "inf", "less than or equal to"),
        ("RAW_RETENTION_HOURS", "1e300", "less than or equal to"),
        ("REDIS_LOG_RECORDS", "9" * 40, "less than or equal to"),
        ("RAW_TOPIC", "my clicks!", "for example RAW_TOPIC=click-data"),
    ],
)
def test_complaint_names_the_variable_and_what_was_expected(
    monkeypatch: pytest.MonkeyPatch, variable: str, given: str, expected: str
) -> None:
    monkeypatch.setenv(variable, given)
    with pytest.raises(ConfigurationError) as complaint:
        read_settings(ServiceSettings)
    assert str(complaint.value).startswith(f"{variable}: ")
    assert expected in str(complaint.value)


def test_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTITIONS", "")
    assert read_settings(ServiceSettings).partitions == 4


def test_no_secret_is_logged_or_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://user:hunter2@redis:6379/0")
    monkeypatch.setenv("KAFKA_BROKER", "kafka:9092")
    monkeypatch.setenv("KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    monkeypatch.setenv("KAFKA_SASL_MECHANISM", "PLAIN")
    monkeypatch.setenv("KAFKA_SASL_USERNAME", "user")
    monkeypatch.setenv("KAFKA_SASL_PASSWORD", "hunter2")
    settings = read_settings(ServiceSettings)
    assert "hunter2" not in str(settings.shown())
    assert "hunter2" not in repr(settings)
    monkeypatch.setenv("REDIS_URL", "redsi://user:hunter2@redis:6379/0")
    with pytest.raises(ConfigurationError) as complaint:
        read_settings(ServiceSettings)
    assert "hunter2" not in str(complaint.value)


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        ServiceSettings().partitions = 5


def test_raw_topic_and_dead_letters_may_have_retentions_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    topics = ("click-data", "click-data-dlq", "enriched-click-data", "enriched-click-data-dlq")
    assert [topic_spec(ServiceSettings(), topic).is_exact for topic in topics] == [False] * 4
    monkeypatch.setenv("RAW_RETENTION_HOURS", "2")
    monkeypatch.setenv("DLQ_RETENTION_HOURS", "0.5")
    specs = [topic_spec(read_settings(ServiceSettings), topic) for topic in topics]
    assert [spec.retention_ms // 60_000 for spec in specs] == [120, 30, 24 * 60, 30]
    assert [spec.is_exact for spec in specs] == [True, True, False, True]


def test_a_topic_of_two_settings_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENRICHED_TOPIC", "click-data-dlq")  # the dead letters of RAW_TOPIC
    with pytest.raises(ConfigurationError, match="ENRICHED_TOPIC: 'click-data-dlq' is a topic of RAW_TOPIC as well"):
        read_settings(ServiceSettings)
