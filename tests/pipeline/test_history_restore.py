"""History goes on after a restore from a dump that is older than what it had read."""

import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import conninfo

from services.history.embedded import client_program
from tests.conftest import or_skip
from tests.support.history_site import PARTITIONS, Site, a_site
from tests.support.oracle.recomputed_history import wrong_rows
from tests.support.polling import eventually
from tests.support.servers.event_logs import KafkaUnderTest
from tests.support.servers.postgres import running_postgres

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(400)]

WAIT_SECONDS = 120
LOST = 10


@pytest.fixture
def site(redis_url: str, kafka_broker: str) -> Iterator[Site]:
    with or_skip(running_postgres) as postgres:
        yield a_site(redis_url, postgres, kafka_broker)


def client(name: str, *arguments: str | Path) -> None:
    program = client_program(name)
    assert program is not None, "the wheel of running_postgres has it"
    subprocess.run([program, *arguments], check=True, timeout=WAIT_SECONDS)


def restore(site: Site, dump: Path) -> None:
    """Put the dump in place of the database."""
    url = site.postgres.url
    with psycopg.connect(conninfo.make_conninfo(url, dbname="template1"), autocommit=True) as connection:
        connection.execute("DROP DATABASE postgres")
        connection.execute("CREATE DATABASE postgres TEMPLATE template0")
    client("pg_restore", "--exit-on-error", "-d", url, dump)


def read_on(site: Site, events: int) -> None:
    """Run history until SQL accounts for so many events."""
    with site.history() as process:
        eventually(lambda: site.read() >= events, f"{events} events are read", WAIT_SECONDS)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert site.read() == events
    assert wrong_rows(site.postgres.url) == []


def products(site: Site) -> Counter[str]:
    return Counter(name for (name,) in site.query("SELECT name FROM events JOIN names ON names.id = product_id"))


def test_history_reads_again_what_a_restored_dump_lacks_and_counts_what_the_log_lacks_too(
    site: Site, tmp_path: Path
) -> None:
    dump = tmp_path / "history.dump"
    site.send(0, 300)
    with site.history():
        eventually(lambda: site.read() == 300, "the first events are read", WAIT_SECONDS)
        client("pg_dump", "-Fc", "-f", dump, "-d", site.postgres.url)
        site.send(300, 400)
        eventually(lambda: site.read() == 700, "the others are read", WAIT_SECONDS)

    restore(site, dump)
    assert site.read() == 300
    places = site.query("SELECT partition, next_offset FROM history_offsets ORDER BY partition")
    read_on(site, 700)
    assert products(site) == Counter(f"P{place}" for place in range(700))
    assert site.query("SELECT sum(duplicates), sum(lost) FROM history_offsets") == [(0, 0)]

    restore(site, dump)
    log = KafkaUnderTest(site.environment["KAFKA_BROKER"])
    for partition, next_offset in places:
        log.expire_before(site.settings.enriched_topic, partition, next_offset + LOST)
    read_on(site, 700 - LOST * PARTITIONS)
    assert set(products(site).values()) == {1}
    assert site.query("SELECT lost FROM history_offsets") == [(LOST,)] * PARTITIONS
