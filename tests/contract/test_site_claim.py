"""A prefix has the numbers of one site: the group that comes second publishes nothing while the first one runs."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import fakeredis
import pytest

from services.aggregate.publishing.publisher import RedisPublisher
from services.aggregate.publishing.repair import repair
from services.aggregate.publishing.seal import Seal
from services.aggregate.publishing.sender import Publication
from services.aggregate.publishing.site_claim import CLAIM_KEY, CLAIM_SECONDS, NOBODY, SiteClaim
from services.aggregate.rollups.reports import PartitionReport
from services.aggregate.settings import AggregateSettings
from services.aggregate.state.opening import resume
from shared.events.enriched import encode_enriched
from shared.events.schema import EnrichedEvent
from shared.rollups.reading import read
from shared.runtime.redis_client import connect
from shared.status.health import Health
from shared.streams.event_log import Assignment, Record
from tests.support.fakes.memory_store import MemoryStore
from tests.support.oracle.engine import fold

NOW_S = 1_795_343_400
SECRET = "a secret of sixteen bytes or more"


@pytest.fixture(params=["fake", "real"])
def clients(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Makes connections to one server."""
    server = fakeredis.FakeServer()
    url = "" if request.param == "fake" else request.getfixturevalue("redis_url")
    with ExitStack() as stack:
        yield lambda: stack.enter_context(connect(url) if url else fakeredis.FakeRedis(server=server))


def claim(client: Any, site: str, secret: str | None = None) -> SiteClaim:
    return SiteClaim(client, "p:", site, Seal(secret, "p:"))


@pytest.mark.parametrize("secret", [None, SECRET])
def test_replicas_of_one_site_share_a_prefix_and_another_site_waits_until_they_are_gone(
    clients: Any, secret: str | None
) -> None:
    first, second, other = (claim(clients(), site, secret) for site in ("a.example", "a.example", ""))
    for second_s in range(30):
        assert first.holder(NOW_S + second_s) == second.holder(NOW_S + second_s) == "a.example"
        assert other.holder(NOW_S + second_s) == "a.example"
    gone_s = NOW_S + 29
    assert other.holder(gone_s + 10) == "a.example"
    assert other.holder(gone_s + CLAIM_SECONDS + 1) == ""
    assert first.holder(gone_s + CLAIM_SECONDS + 2) == ""


def test_of_many_groups_that_claim_at_once_one_gets_the_prefix(clients: Any) -> None:
    claims = [claim(clients(), f"{number % 3}.example") for number in range(9)]
    with ThreadPoolExecutor(len(claims)) as threads:
        holders = set(threads.map(lambda own: own.holder(NOW_S), claims)) - {NOBODY}
    assert len(holders) == 1
    assert {own.holder(NOW_S + 1) for own in claims} == holders


@pytest.mark.parametrize(
    "value", [b"", b"b.example", b"9" * 400 + b" b.example", f"{NOW_S} \xff".encode("latin-1"), b"1 b.example"]
)
def test_what_no_replica_wrote_is_no_claim(clients: Any, value: bytes) -> None:
    client = clients()
    client.set("p:" + CLAIM_KEY, value)
    assert claim(client, "a.example").holder(NOW_S) == "a.example"


def test_with_a_secret_only_a_replica_can_claim(clients: Any) -> None:
    client = clients()
    client.set("p:" + CLAIM_KEY, f"{NOW_S} b.example")
    assert claim(client, "a.example", SECRET).holder(NOW_S) == "a.example"


def test_a_claim_of_another_type_is_repaired(clients: Any) -> None:
    client = clients()
    client.lpush("p:" + CLAIM_KEY, b"theirs")
    with pytest.raises(Exception, match="WRONGTYPE") as failure:
        claim(client, "a.example").holder(NOW_S)
    repair(client, "p:", NOW_S, failure.value)  # type: ignore[arg-type] # of redis-py
    assert claim(client, "a.example").holder(NOW_S) == "a.example"


def test_two_sites_under_one_prefix_never_mix_their_numbers(clients: Any, tmp_path: Path) -> None:
    publishers = {site: _Publisher(clients(), site, tmp_path) for site in ("a.example", "b.example")}
    for second in range(4):
        for publisher in publishers.values():
            publisher.publish(NOW_S + second)
        snapshot = read(clients(), "all", "p:")
        assert snapshot is not None
        assert snapshot.meta.site == "a.example"
        assert snapshot.windows.views["1h"] == snapshot.meta.counted == 2
        assert snapshot.meta.other_site == 1
        assert snapshot.meta.partitions == 1
    assert publishers["a.example"].health.is_working("prefix")
    assert (
        publishers["b.example"]
        .health.troubles()["prefix"]
        .reason.startswith("REDIS_PREFIX 'p:' has the numbers of a.example; nothing is published.")
    )
    publishers["a.example"].leave()
    publishers["b.example"].publish(NOW_S + 60)
    snapshot = read(clients(), "all", "p:")
    assert snapshot is not None
    assert (snapshot.meta.site, snapshot.meta.counted, snapshot.meta.other_site) == ("b.example", 1, 2)
    assert publishers["b.example"].health.is_working("prefix")


class _Publisher:
    """The group of a site that reads one partition with two events of a.example and one of b.example."""

    def __init__(self, client: Any, site: str, folder: Path) -> None:
        settings = AggregateSettings(site=site, redis_prefix="p:", state_dir=folder, segment_hours=0)
        self.health = Health("test")
        self._publisher = RedisPublisher(client, settings, f"replica of {site}", health=self.health)
        self._partition = resume(MemoryStore(), Assignment(0, 0, 9), NOW_S, site=site)
        sites = ("a.example", "b.example", "a.example")
        events = [EnrichedEvent(NOW_S * 1000, "ada", site=own) for own in sites]
        fold(self._partition, [Record(0, n, NOW_S * 1000, b"", encode_enriched(own)) for n, own in enumerate(events)])

    def leave(self) -> None:
        self._publisher.leave()

    def publish(self, instant_s: int) -> None:
        self._partition.advance(instant_s)
        report = PartitionReport(self._partition.snapshot(), 0, 0.0, 0, instant_s * 1000)
        self._publisher.publish(Publication(instant_s, {0: report}, [], {0: NOW_S}))
