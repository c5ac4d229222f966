"""Kafka's errors as conditions of the event log."""

import pytest
from confluent_kafka import KafkaError, KafkaException

from shared.runtime.settings import ServiceSettings
from shared.streams.event_log import Fenced, LogUnavailable
from shared.streams.kafka.client import KafkaClients


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
