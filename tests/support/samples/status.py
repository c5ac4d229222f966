"""A status report with every field in use."""

from typing import Any

from shared.status.replica_status import Complaint, ReplicaStatus, Trouble

NOON_MS = 1_795_348_800_000


def sample_status(service: str = "aggregate", replica: str = "host-1:7", **fields: Any) -> ReplicaStatus:
    """A healthy aggregate that reported at NOON_MS; `fields` replace its own."""
    given: dict[str, Any] = {
        "version": "0.1.0",
        "started_at_ms": NOON_MS - 7_500_000,
        "reported_at_ms": NOON_MS,
        "cpu_share": 0.183,
        "memory_bytes": 162_000_000,
        "events": 232_154,
        "events_per_second": 1234.5,
        "batch_ms": 95.25,
        "publish_ms": 42.95,
        "is_publisher": True,
        "lag": {0: 12, 1: 0},
        "state_bytes": {0: 4_676_184, 1: 4_628_171},
        "dead_letters": {"not_json": 3},
        "last_complaint": Complaint("warning", "events refused", NOON_MS - 60_000),
    }
    return ReplicaStatus(service=service, replica=replica, **(given | fields))


REDIS_AWAY = Trouble("connection refused", NOON_MS - 40_000, fails=True)
BAD_INPUT = Trouble("half of it is bad", NOON_MS - 5_000, fails=False)
