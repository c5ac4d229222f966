"""The history service in its own process."""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import partial

import pytest

from tests.conftest import or_skip
from tests.support.history_site import Site, a_site, user_of
from tests.support.polling import eventually
from tests.support.servers.postgres import running_postgres

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(400)]


@pytest.fixture
def site(redis_url: str, kafka_broker: str) -> Iterator[Site]:
    with or_skip(running_postgres) as postgres:
        yield a_site(redis_url, postgres, kafka_broker)


def test_a_visitor_is_forgotten_while_history_hangs_with_a_backlog_of_it(site: Site) -> None:
    forgotten = user_of(3)
    with site.history() as process:
        site.send(0, 300)
        eventually(partial(site.has_read, 300), "the events are stored", 120)
        process.send_signal(signal.SIGSTOP)
        site.send(300, 300)
        command = [sys.executable, "-m", "services.cli", "forget", forgotten, "--wait", "0"]
        forget = subprocess.run(command, env=os.environ | site.environment, capture_output=True, text=True, timeout=120)
        # It knows nothing of the erasure yet when it goes on.
        process.send_signal(signal.SIGCONT)
        assert forget.returncode == 1, "aggregate does not run"
        line = next(line for line in forget.stdout.splitlines() if line.startswith("events in PostgreSQL"))
        assert line.split()[3:5] == ["4", "4"]
        site.send(600, 1)
        eventually(lambda: site.read() + erased(site) == 601, "all events are read", 120)
        stored = Counter(
            name for (name,) in site.query("SELECT v.name FROM events JOIN visitors v ON v.id = visitor_id")
        )
        assert stored == Counter(user_of(place) for place in range(601) if user_of(place) != forgotten)
        assert erased(site) == 3
        assert site.query("SELECT sum(views) FROM traffic_1d WHERE dimension = 'all'") == [(598,)]


def erased(site: Site) -> int:
    return int(site.query("SELECT sum(erased) FROM history_offsets")[0][0])
