"""Groups of single sites as processes beside the group of all: killed, restarted, and compared with the oracle."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from shared.runtime.redis_client import connect
from tests.pipeline.test_aggregate_service import current_log, produced, running
from tests.pipeline.test_forget import keys_that_hold
from tests.pipeline.test_replicas import Site
from tests.support.oracle.naive_rollups import outcomes
from tests.support.oracle.publish_check import assert_published, caught_up
from tests.support.polling import eventually
from tests.support.samples.enriched import events

SHOP, BLOG = "shop.example", "blog.example"
GROUPS = {"": "", SHOP: "shop:", BLOG: "blog:"}
pytestmark = pytest.mark.timeout(300)  # segments of reopened minutes follow within a minute


def options_of(site: str) -> dict[str, str]:
    return {"SITE": site, "REDIS_PREFIX": GROUPS[site]} if site else {}


def assert_right(client: Any, site: str, refused: int) -> None:
    """The group's numbers, segments and accounts are those of a brute-force count of its events."""
    log = current_log(client)
    meta = assert_published(client, log, prefix=GROUPS[site], site=site or None)
    expected = outcomes(log, site or None)
    assert meta.site == site
    assert (meta.counted, meta.late, meta.duplicates) == tuple(
        len(expected[outcome]) for outcome in ("counted", "late", "duplicates")
    )
    unread = {"dead_letters": refused, "other_site": 0} if not site else {"dead_letters": 0, "other_site": refused}
    assert meta.dead_letters == unread["dead_letters"]
    assert meta.other_site == len(expected["other_site"]) + unread["other_site"]
    assert meta.read == meta.counted + meta.late + meta.duplicates + meta.dead_letters + meta.other_site


def test_each_group_publishes_the_oracles_numbers_of_its_site_although_all_are_killed(
    redis_url: str, tmp_path: Path
) -> None:
    client: Any = connect(redis_url)
    chance = random.Random(11)
    made = events(11, 3000, int(time.time() * 1000))
    parts = [made[start : start + 1000] for start in range(0, len(made), 1000)]
    for part in parts:
        produced(redis_url, part, refused=2)
        for site in GROUPS:
            with running(
                redis_url, tmp_path / f"state{site}", AGGREGATE_BATCH_RECORDS="200", **options_of(site)
            ) as own:
                time.sleep(chance.uniform(0.6, 2.5))  # the kill is anywhere between startup and publishing
                own.send_signal(signal.SIGKILL)
    refused = 2 * len(parts)
    for site, prefix in GROUPS.items():
        with running(redis_url, tmp_path / f"state{site}", **options_of(site)):
            caught_up(client, len(made) + refused, prefix)
            assert_right(client, site, refused)
    letters = [fields for n in range(4) for _, fields in client.xrange(f"enriched-click-data-dlq:{n}")]
    assert {fields[b"v"] for fields in letters} == {b"no json 0", b"no json 1"}
    assert not client.keys("shop:enriched-click-data*")  # the log is shared


def test_another_site_over_the_same_state_starts_from_the_log(redis_url: str, tmp_path: Path) -> None:
    client: Any = connect(redis_url)
    made = events(12, 500, int(time.time() * 1000))
    produced(redis_url, made, refused=1)
    for site in (SHOP, BLOG):
        with running(redis_url, tmp_path, **options_of(site)):
            caught_up(client, len(made) + 1, GROUPS[site])
            assert_right(client, site, 1)
    assert list(tmp_path.glob("enriched-click-data/0.set-aside-*"))


def test_groups_of_two_sites_share_neither_a_folder_nor_a_prefix(redis_url: str, tmp_path: Path) -> None:
    client: Any = connect(redis_url)
    made = events(13, 300, int(time.time() * 1000))
    produced(redis_url, made, refused=0)
    with running(redis_url, tmp_path / "shop", **options_of(SHOP)):
        caught_up(client, len(made), "shop:")
        with running(redis_url, tmp_path / "shop", **options_of(BLOG)) as second:
            assert second.wait(timeout=60) == 2
        with running(redis_url, tmp_path / "blog", SITE=BLOG, REDIS_PREFIX="shop:"):
            eventually(lambda: b"has the numbers of shop.example" in _status(client), "the complaint")
            assert_right(client, SHOP, 0)


def _status(client: Any) -> bytes:
    return b"".join(client.hvals("shop:status:replicas:aggregate"))


def test_a_visitor_is_forgotten_by_every_group(redis_url: str, tmp_path: Path) -> None:
    client: Any = connect(redis_url)
    made = events(14, 400, int(time.time() * 1000))
    user = next(event.userId for event in made if event.site == SHOP)
    produced(redis_url, made, refused=0)
    with running(redis_url, tmp_path / "all"), running(redis_url, tmp_path / "shop", **options_of(SHOP)):
        for prefix in ("", "shop:"):
            caught_up(client, len(made), prefix)
        assert _forget(redis_url, user) == 0
        left = current_log(client)
        assert user not in {arrived.event.userId for arrived in left}
        for site in ("", SHOP):
            caught_up(client, len(left), GROUPS[site])
            assert_right(client, site, 0)
    assert keys_that_hold(client, f'"{user}"') == set()


def _forget(redis_url: str, user: str) -> int:
    command = [sys.executable, "-m", "services.cli", "forget", user]
    return subprocess.run(command, env={**os.environ, "REDIS_URL": redis_url}, check=False).returncode


@pytest.mark.kafka
@pytest.mark.slow
def test_replicas_of_a_site_on_kafka_publish_the_oracles_numbers_beside_those_of_all(
    kafka_broker: str, redis_url: str, tmp_path: Path
) -> None:
    site = Site(kafka_broker, redis_url, tmp_path)
    made = events(15, 3000, int(time.time() * 1000))
    site.produce(made[:1500])
    own = {"SITE": SHOP, "REDIS_PREFIX": "shop:"}
    with site.replica("all"), site.replica("one", **own) as first, site.replica("two", **own):
        for prefix in ("", "shop:"):
            caught_up(site.client, 1500, prefix)
        first.send_signal(signal.SIGKILL)
        site.produce(made[1500:])
        log = site.arrived(len(made))
        for prefix, name in (("", None), ("shop:", SHOP)):
            caught_up(site.client, len(made), prefix)
            meta = assert_published(site.client, log, prefix=prefix, site=name)
            assert meta.partitions == 4
            assert meta.other_site == (0 if name is None else len(outcomes(log, name)["other_site"]))
