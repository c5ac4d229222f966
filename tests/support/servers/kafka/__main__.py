"""`python -m tests.support.servers.kafka` fetches and prepares Kafka, so that the first test need not."""

from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.servers.kafka.broker import running_kafka

if __name__ == "__main__":
    with TemporaryDirectory() as folder, running_kafka(Path(folder)):
        pass
