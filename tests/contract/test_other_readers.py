"""Whether another replica reads the log, by the statuses in Redis."""

import fakeredis
import pytest

from services.aggregate.publishing.other_readers import OtherReaders
from shared.status.keys import write
from shared.status.replica_status import ReplicaStatus, Trouble

NOW_MS = 1_795_343_400_000
LOG_AWAY = {"log": Trouble("away", NOW_MS, fails=True)}
STATE_LOCKED = {"state": Trouble("locked", NOW_MS, fails=True)}
STARTING = {"start": Trouble("waiting", NOW_MS, fails=True)}


@pytest.mark.parametrize(
    ("changes", "reads"),
    [
        ({}, True),
        ({"troubles": STATE_LOCKED}, True),  # it waits for the state that this replica has open
        ({"troubles": LOG_AWAY}, False),
        ({"troubles": STARTING}, False),
        ({"state": "stopped"}, False),
        ({"reported_at_ms": NOW_MS - 5_000}, False),
        ({"replica": "own"}, False),
        ({"service": "detect"}, False),
    ],
)
def test_only_another_live_replica_without_trouble_with_the_log_reads_it(
    changes: dict[str, object], reads: bool
) -> None:
    client = fakeredis.FakeRedis()
    fields = {"service": "aggregate", "replica": "other", "reported_at_ms": NOW_MS - 900} | changes
    write(client, ReplicaStatus(version="1", started_at_ms=0, **fields), [], "site:")  # type: ignore[arg-type]
    client.hset("site:status:replicas:aggregate", "foreign", b"not a status")
    assert OtherReaders(client, "site:", "aggregate", "own", lambda: NOW_MS)() is reads


def test_nobody_reads_while_redis_is_away() -> None:
    server = fakeredis.FakeServer()
    server.connected = False
    assert OtherReaders(fakeredis.FakeRedis(server=server), "", "aggregate", "own")() is False
