"""Cleans up a broker: `python -m benchmarks.topics NAME_PART`, settings from the environment."""

import sys

from confluent_kafka.admin import AdminClient

from benchmarks.processes import answer, quieten_logs
from shared.runtime.settings import ServiceSettings, read_settings
from shared.streams.kafka.client import KafkaClients

_ANSWER_SECONDS = 10.0


def main(name_part: str) -> None:
    """Delete every topic, changelogs included, and every consumer group whose name contains `name_part`."""
    settings = read_settings(ServiceSettings)
    admin = AdminClient(KafkaClients(settings, client_id="clickpulse-bench").admin_options())
    topics = [name for name in admin.list_topics(timeout=_ANSWER_SECONDS).topics if name_part in name]
    groups = [
        group.group_id
        for group in admin.list_consumer_groups(request_timeout=_ANSWER_SECONDS).result().valid
        if name_part in group.group_id
    ]
    deletions = {
        **(admin.delete_topics(topics, operation_timeout=_ANSWER_SECONDS) if topics else {}),
        **(admin.delete_consumer_groups(groups, request_timeout=_ANSWER_SECONDS) if groups else {}),
    }
    for deletion in deletions.values():
        deletion.result(timeout=_ANSWER_SECONDS)
    answer({"topics": len(topics), "groups": len(groups)})


if __name__ == "__main__":
    quieten_logs()
    main(sys.argv[1])
