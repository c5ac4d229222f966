"""Kafka's errors as conditions of the event log."""

import pytest
from confluent_kafka import KafkaError, KafkaException

from shared.runtime.settings import ServiceSettings
from shared.streams.event_log import Fenced, LogUnavailable
from shared.streams.kafka import client, errors
from shared.streams.kafka.client import KafkaClients
from shared.streams.kafka.errors import LastCause, UnstableOffsets, translated

TRANSPORT, ALL_DOWN = KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN  # noqa: SLF001 - public names


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)), LogUnavailable),
        (KafkaException(KafkaError(KafkaError.FENCED_INSTANCE_ID)), Fenced),
        (TimeoutError(), LogUnavailable),  # raised by a future
    ],
)
def test_every_kafka_error_is_translated_and_names_the_broker(error: Exception, meaning: type[Exception]) -> None:
    clients = KafkaClients(ServiceSettings(kafka_broker="kafka:9092"), "test")
    with pytest.raises(meaning, match="kafka:9092"), clients.outages():
        raise error


def test_the_cause_that_a_client_reports_is_part_of_the_outage_and_no_line_of_its_own(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    causes = LastCause()
    monkeypatch.setattr(client, "LAST_CAUSE", causes)
    monkeypatch.setattr(errors, "LAST_CAUSE", causes)
    seen: list[KafkaError] = []
    refused = "kafka:9092/1: Connect to ipv4#127.0.0.1:9092 failed: Connection refused"
    for code, text in ((TRANSPORT, f"{refused} (after 0ms in state CONNECT)"), (ALL_DOWN, "1/1 brokers are down")):
        client.report(seen.append, KafkaError(code, text))
    assert [error.code() for error in seen] == [TRANSPORT, ALL_DOWN]
    timed_out = KafkaException(KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001 - its public name
    assert str(translated(timed_out, "kafka:9092")).endswith(f"(_TIMED_OUT); {refused}")
    assert "refused" not in str(translated(KafkaException(KafkaError(KafkaError.NOT_COORDINATOR)), "kafka:9092"))
    assert caplog.records == []


def test_a_cause_is_forgotten_after_a_minute() -> None:
    causes = LastCause()
    causes.note(KafkaError(TRANSPORT, "refused"), now=100.0)
    assert (causes.recent(159.0), causes.recent(161.0)) == ("refused", "")


def test_withheld_offsets_come_with_the_command_that_finds_the_transaction() -> None:
    withheld = UnstableOffsets(KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001 - its public name
    command = "kafka-transactions.sh --bootstrap-server kafka:9092 find-hanging --max-transaction-timeout 1"
    assert command in str(translated(withheld, "kafka:9092"))
