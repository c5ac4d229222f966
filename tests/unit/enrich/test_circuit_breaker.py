"""The lookup circuit breaker: while Redis is unavailable new ids are unknown and counted, and health is degraded."""

import fakeredis
import pytest
from structlog.testing import capture_logs

from services.enrich.lookups.catalogue import VisitorFacts
from services.enrich.lookups.circuit_breaker import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, LookupCircuitBreaker
from services.enrich.lookups.redis_lookups import Lookups
from services.enrich.tally import Tally
from shared.events.schema import RawEvent
from shared.status.health import Health


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Site:
    """Lookups, and the Redis behind them."""

    def __init__(self) -> None:
        self.server = fakeredis.FakeServer()
        self.redis = fakeredis.FakeRedis(server=self.server)
        self.clock = Clock()
        self.health = Health("enrich")
        self.tally = Tally(self.clock)
        lookups = Lookups(self.redis, "", found_seconds=1e9, missing_seconds=1e9, cache_entries=100, clock=self.clock)
        self.lookups = LookupCircuitBreaker(lookups, "here", tally=self.tally, health=self.health, clock=self.clock)

    def logged_unknown(self) -> list[int]:
        """The counts of events without lookups that the tally logs."""
        with capture_logs() as logs:
            self.clock.now += 1000
            self.tally.report(dict)
        return [line["events"] for line in logs if line["event"] == "enriched without lookups"]


@pytest.fixture
def site() -> Site:
    return Site()


def click(user_id: str = "ada", product_id: str | None = None) -> RawEvent:
    return RawEvent(timestamp=1_790_000_000_123, userId=user_id, productId=product_id)


def test_uses_cached_lookups_and_counts_the_others(site: Site) -> None:
    site.redis.hset("visitor:ada", mapping={"gender": "F", "birthday": ""})
    site.lookups.learn([click("ada")])
    site.server.connected = False
    site.lookups.learn([click("ada"), click("ada", "V1"), click("bea"), click("bea", "V1")])
    assert site.lookups.visitors == {"ada": VisitorFacts("F")}
    assert site.logged_unknown() == [3]
    assert site.health.report()["status"] == "degraded"
    assert "Redis at here is unavailable" in str(site.health.report()["failures"])


def test_asks_redis_again_after_growing_pauses(site: Site) -> None:
    site.server.connected = False
    with capture_logs() as logs:
        site.lookups.learn([click("ada")])
    assert [line["event"] for line in logs] == ["continuing without lookups, new products and visitors are unknown"]
    site.server.connected = True
    site.clock.now += FIRST_PAUSE_SECONDS / 2
    site.lookups.learn([click("ada")])
    assert site.lookups.visitors == {}
    site.server.connected = False
    with capture_logs() as logs:
        for _ in range(20):
            site.clock.now += LONGEST_PAUSE_SECONDS
            site.lookups.learn([click("ada")])
    assert logs == []
    site.server.connected = True
    site.clock.now += LONGEST_PAUSE_SECONDS
    with capture_logs() as logs:
        site.lookups.learn([click("ada")])
    assert [line["event"] for line in logs] == ["available again"]
    assert site.health.report()["status"] == "healthy"
    assert set(site.lookups.visitors) == {"ada"}


def test_batch_of_cached_ids_does_not_close_the_circuit(site: Site) -> None:
    site.lookups.learn([click("ada")])
    site.server.connected = False
    site.lookups.learn([click("bea")])
    site.clock.now += LONGEST_PAUSE_SECONDS
    site.lookups.learn([click("ada")])
    assert site.health.report()["status"] == "degraded"
    assert site.logged_unknown() == [1]
