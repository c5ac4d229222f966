"""History, its PostgreSQL and its event log, killed at random moments. SQL equals what was sent.

HISTORY_KILLS=100 makes the test on Kafka a long one.
"""

import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from threading import Event, Lock, Thread
from typing import Final

import pytest

from tests.conftest import or_skip
from tests.support.history_site import SALE, Site, a_site, order_of, user_of
from tests.support.oracle.recomputed_history import wrong_rows
from tests.support.polling import eventually
from tests.support.servers.kafka.broker import Kafka
from tests.support.servers.postgres import Postgres, running_postgres

KILLS: Final = int(os.environ.get("HISTORY_KILLS", "10"))
KILLS_ON_REDIS: Final = 5
"""With those on Kafka, CI kills 15 times."""

SEED: Final = 20
WAIT_SECONDS: Final = 120
BURST: Final = 200
MOST_WAITING: Final = 5_000
PAUSE_SECONDS: Final = 0.05

pytestmark = pytest.mark.timeout(400 + 30 * KILLS)


class Run:
    """History while somebody sends events."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.process: subprocess.Popen[bytes] = site.start()
        self.sending = Lock()
        """Held while a burst is under way: a broker that dies then may have taken it, and has not said so."""
        self.sent = 0
        self._enough = Event()
        self._sender = Thread(target=self._send)
        self._sender.start()

    def _send(self) -> None:
        known = 0
        while not self._enough.wait(PAUSE_SECONDS):
            known = max(known, self.site.read())  # while SQL is down, what is sent waits in the log
            if self.sent - known < MOST_WAITING:  # a busy machine stores slowly
                with self.sending:
                    self.site.send(self.sent, BURST)
                    self.sent += BURST

    def finish(self) -> None:
        """Send no more."""
        self._enough.set()
        self._sender.join(WAIT_SECONDS)

    def end(self) -> None:
        """Whatever happened."""
        self.process.kill()
        self.process.wait()
        self.finish()


def kill_history(run: Run) -> None:
    run.process.kill()
    run.process.wait()
    run.process = run.site.start()


def crash_postgres(run: Run) -> None:
    run.site.postgres.crash()
    wait_for_the_outage(run)


def kill_postgres(run: Run) -> None:
    run.site.postgres.kill()
    wait_for_the_outage(run)


def wait_for_the_outage(run: Run) -> None:
    eventually(lambda: run.site.health() == "degraded", "history reports the outage", WAIT_SECONDS)
    run.site.postgres.start()
    eventually(lambda: run.site.health() == "healthy", "history reports its end", WAIT_SECONDS)


def kill_broker(kafka: Kafka, run: Run) -> None:
    with run.sending:
        kafka.kill()
        time.sleep(0.5)
        kafka.start()


Kill = Callable[[Run], None]


def drawn(kills: int, others: Sequence[Kill]) -> list[Kill]:
    """Each of the others once at least; half of the kills are of history."""
    chance = random.Random(SEED)
    drawn = [*others, *chance.choices([*others, *[kill_history] * len(others)], k=kills - len(others))]
    chance.shuffle(drawn)
    return drawn


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    with or_skip(running_postgres) as server:
        yield server


@pytest.mark.kafka
def test_kills_of_history_postgres_and_the_broker_lose_nothing_and_repeat_nothing(
    redis_url: str, postgres: Postgres, own_kafka: Kafka
) -> None:
    others = (crash_postgres, kill_postgres, partial(kill_broker, own_kafka))
    survive(a_site(redis_url, postgres, own_kafka.address), drawn(KILLS, others))


def test_kills_on_the_redis_log_lose_nothing_and_repeat_nothing(redis_url: str, postgres: Postgres) -> None:
    survive(a_site(redis_url, postgres, ""), drawn(KILLS_ON_REDIS, (crash_postgres, kill_postgres)))


def survive(site: Site, kills: Sequence[Kill]) -> None:
    """Kill while events are stored, and compare SQL with what was sent."""
    chance = random.Random(SEED)
    run = Run(site)
    try:
        for kill in kills:
            eventually(partial(site.has_read, site.read() + 1), "history reads on", WAIT_SECONDS)
            time.sleep(chance.uniform(0, 1))
            kill(run)
        run.finish()
        eventually(partial(site.has_read, run.sent), "all events are read", WAIT_SECONDS)
        assert site.answered_views() == run.sent
        run.process.send_signal(signal.SIGTERM)
        assert run.process.wait(15) == 0
    finally:
        run.end()
    compare(site, run.sent)


def compare(site: Site, sent: int) -> None:
    products = Counter(name for (name,) in site.query("SELECT name FROM events JOIN names ON names.id = product_id"))
    assert products == Counter(f"P{place}" for place in range(sent))
    assert site.query("SELECT sum(kept), sum(duplicates + expired + erased + refused) FROM history_offsets") == [
        (sent, 0)
    ]
    assert wrong_rows(site.postgres.url) == []
    assert site.query("SELECT sum(views) FROM traffic_1d WHERE dimension = 'all'") == [(sent,)]
    orders = {(user_of(place), order_of(place)) for place in range(0, sent, SALE)}
    assert site.query("SELECT sum(orders) FROM sales_1d WHERE dimension = 'all'") == [(len(orders),)]
