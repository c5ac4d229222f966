"""`clickpulse forget` and `clickpulse export` on both event logs, with a prefix, and with pseudonyms."""

import time
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from threading import Event
from typing import Any

import msgspec
import pytest

from services.enrich.erasure import export, forget
from services.enrich.erasure.export import exported
from services.enrich.erasure.forget import Forgetting
from services.enrich.erasure.report import Line
from services.enrich.erasure.site import Site, opened_site
from services.enrich.privacy.lookup_names import lookup_key_of, lookup_name
from shared.events.raw import encode_raw
from shared.events.refusals import dead_letter_topic
from shared.events.schema import RawEvent
from shared.privacy.erasure_list import ErasureList, PublishedSite
from shared.privacy.erasures import Erasures, token_of
from shared.privacy.rotation import derived_salt, period_of, pseudonym_of
from shared.runtime.redis_client import connect
from shared.runtime.settings import ServiceSettings
from shared.streams.choose import open_log
from shared.streams.event_log import NewRecord, TopicSpec

SECRET = "a secret of sixteen bytes or more"
HOUR_MS = 3_600_000


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def no_history(_url: str | None, _folder: Path) -> AbstractContextManager[None]:
    return nullcontext()


class Stored:
    """A site with two visitors, ann and bob, in every place."""

    def __init__(
        self, client: Any, prefix: str, settings: ServiceSettings, offers: str, *, ann: str, lookup: str
    ) -> None:
        """`ann` is her id behind enrich, `lookup` the name of her lookup."""
        self.lookup = lookup
        self.client, self.prefix, self.ann = client, prefix, ann
        self.raw, self.enriched, self.offers = settings.raw_topic, settings.enriched_topic, offers
        self.letters = dead_letter_topic(self.raw)
        with open_log(settings, "test").producer() as producer:
            log = open_log(settings, "test")
            log.ensure_topics([TopicSpec(name, 2, 24 * HOUR_MS) for name in (self.raw, self.enriched, offers)])
            log.ensure_topics([TopicSpec(self.letters, 2, 24 * HOUR_MS)])
            producer.send([self.record(self.raw, user) for user in ("ann", "bob", "ann")])
            producer.send([self.record(self.enriched, user) for user in (ann, "bob", ann)])
            producer.send([self.record(offers, ann), self.record(self.letters, "bob")])
            producer.send([NewRecord(self.letters, None, b'{"userId": "ann", "timesta')])
        self.set(f"visitor:{lookup}", {"gender": "F", "birthday": "1990-01-01"})
        self.set("visitor:bob", {"gender": "M", "birthday": "1990-01-01"})
        client.set(f"{prefix}detect:{ann}", b'{"offset": 7}')
        client.set(f"{prefix}detect:bob", b"{}")
        client.xadd(f"{prefix}state_logs", {"created": 1, "msg": f"visitor {short(ann)} entered offer: clicked P1"})
        client.xadd(f"{prefix}state_logs", {"created": 2, "msg": "visitor bob entered offer: clicked P1"})
        for key in ("rollup:visitors:latest", "rollup:events:latest"):
            rows = [msgspec.json.encode({"userId": user, "ip": "203.0.113.0"}) for user in (ann, "bob")]
            client.rpush(prefix + key, *rows)
        client.set(f"{prefix}raw_data", msgspec.json.encode({"userId": {"0": ann, "1": "bob"}, "ip": {"0": "a"}}))
        client.set(f"{prefix}latest_visitors", b"{}")

    def record(self, topic: str, user: str) -> NewRecord:
        return NewRecord(topic, user.encode(), encode_raw(RawEvent(timestamp=now_ms(), userId=user)))

    def set(self, key: str, fields: dict[str, str]) -> None:
        self.client.hset(self.prefix + key, mapping=fields)

    def aggregate_honours(self) -> None:
        """What aggregate reports once it has erased its state."""
        ErasureList(self.client, self.prefix).report(self.enriched, {0: now_ms() + HOUR_MS, 1: now_ms() + HOUR_MS})


def short(user: str) -> str:
    return user if len(user) <= 8 else user[:7] + "…"


@pytest.fixture(params=["redis", pytest.param("kafka", marks=pytest.mark.kafka)])
def stored(request: pytest.FixtureRequest, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stored]:
    suffix = uuid.uuid4().hex[:8]
    options = {"REDIS_URL": redis_url, "REDIS_PREFIX": "p:", "RAW_TOPIC": f"clicks-{suffix}",
               "ENRICHED_TOPIC": f"enriched-{suffix}", "OFFERS_TOPIC": f"offers-{suffix}"}  # fmt: skip
    ann = lookup = "ann"  # on Kafka without pseudonyms, on Redis with them
    if request.param == "kafka":
        options["KAFKA_BROKER"] = request.getfixturevalue("kafka_broker")
    if request.param == "redis":
        options |= {"HASH_USER_ID": "daily", "HASH_SALT": SECRET}
        ann = pseudonym_of("ann", derived_salt(SECRET, period_of(now_ms(), "daily")))
        lookup = lookup_name("ann", lookup_key_of(SECRET))
    for name, value in options.items():
        monkeypatch.setenv(name, value)
    with connect(redis_url) as client:
        yield Stored(client, "p:", ServiceSettings(), options["OFFERS_TOPIC"], ann=ann, lookup=lookup)


@pytest.fixture
def site(stored: Stored) -> Iterator[Site]:
    assert stored.raw
    with opened_site("test", Event(), no_history) as site:
        yield site


def forgotten(site: Site, *, is_dry: bool = False) -> dict[str, Line]:
    (lines,) = Forgetting(site, ["ann"], 0, is_dry=is_dry, settle_seconds=0).run().values()
    return {line.place: line for line in lines}


def test_a_forgotten_visitor_is_gone_everywhere_and_others_stay(stored: Stored, site: Site) -> None:
    before = exported(site, "ann", now_ms())
    assert {key.removeprefix("p:") for key in before["redis"]} == {
        f"visitor:{stored.lookup}", f"detect:{stored.ann}", "state_logs", "rollup:visitors:latest",
        "rollup:events:latest", "raw_data",
    }  # fmt: skip
    assert {topic: len(records) for topic, records in before["log"].items()} == {
        stored.raw: 2, stored.letters: 1, stored.enriched: 2, stored.offers: 1
    }  # fmt: skip
    stored.aggregate_honours()
    report = forgotten(site)
    for place in ("visitor lookup", "detect's machines", "state log"):
        assert report[place][1:3] == (1, 1)
    assert report["published latest events"][1:3] == (3, 3)
    after = exported(site, "ann", now_ms())
    assert after["redis"] == {}
    deletes = not site.settings.kafka_broker
    for topic, records in before["log"].items():
        assert report[topic].found == len(records)
        assert report[topic].removed == (len(records) if deletes else 0)
        assert ("expire by 20" in report[topic].rest) is not deletes
        assert len(after["log"][topic]) == (0 if deletes else len(records))
    assert not any(line.is_pending for line in report.values())
    bob = exported(site, "bob", now_ms())
    assert {key.removeprefix("p:") for key in bob["redis"]} == {"visitor:bob", "detect:bob", "state_logs"}
    assert {topic: len(records) for topic, records in bob["log"].items()} == {
        stored.raw: 1, stored.letters: 1, stored.enriched: 1, stored.offers: 0
    }  # fmt: skip


def test_the_list_of_erasures_holds_no_id_and_a_second_run_changes_nothing(stored: Stored, site: Site) -> None:
    forgotten(site)
    erasures = ErasureList(stored.client, "p:")
    first = erasures.read(now_ms())
    key = SECRET.encode() if site.settings.hash_user_id != "off" else b""
    assert token_of("ann", key) in first
    assert token_of(stored.ann) in first or stored.ann == "ann"
    assert b"ann" not in b"".join(stored.client.hgetall("p:privacy:erasures"))
    report = forgotten(site)
    assert erasures.read(now_ms()) == first
    assert report["visitor lookup"][1:3] == (0, 0)
    assert report["aggregate's state"].is_pending  # no aggregate runs
    with open_log(site.settings, "test").producer() as producer:  # she comes back, and is forgotten again
        producer.send([stored.record(stored.raw, "ann")])
    forgotten(site)
    again = erasures.read(now_ms())
    assert min(erasure.until_ms for erasure in again.values()) > max(erasure.until_ms for erasure in first.values())


def test_clicks_from_before_visitors_were_hashed_are_erased_too(stored: Stored, site: Site) -> None:
    key = site.settings.erasure_key
    with open_log(site.settings, "test").producer() as producer:
        producer.send([stored.record(stored.enriched, "bob")])
    forgotten(site)
    assert (token_of("ann") in ErasureList(stored.client, "p:").read(now_ms())) == (not key)
    with open_log(site.settings, "test").producer() as producer:
        producer.send([stored.record(stored.enriched, "ann")])
    forgotten(site)
    in_aggregate = Erasures(ErasureList(stored.client, "p:").read(now_ms()))  # which knows no key
    assert in_aggregate.erases("ann", 1, 1)
    assert in_aggregate.erases(stored.ann, 1, 1)
    assert not in_aggregate.includes("bob")


def test_a_dry_run_removes_nothing(stored: Stored, site: Site) -> None:
    before = exported(site, "ann", 0)
    report = forgotten(site, is_dry=True)
    assert exported(site, "ann", 0) == before
    assert ErasureList(stored.client, "p:").read(now_ms()) == {}
    assert {line.removed for line in report.values()} == {0, None}


def test_the_commands_print_json_and_a_table(stored: Stored, capsys: pytest.CaptureFixture[str]) -> None:
    assert export.main(["ann"], no_history) == 0
    document = msgspec.json.decode(capsys.readouterr().out)
    assert document["userId"] == "ann"
    assert document["history"].startswith("not configured")
    assert document["redis"][f"p:visitor:{stored.lookup}"] == [{"gender": "F", "birthday": "1990-01-01"}]
    assert forget.main(["ann", "--dry-run"], no_history) == 0
    printed = capsys.readouterr().out
    assert "'ann': would be forgotten\nplace " in printed
    assert stored.raw in printed
    assert "history not configured" in printed


def test_the_groups_of_sites_are_waited_for_and_what_they_publish_is_removed(stored: Stored, site: Site) -> None:
    erasures = ErasureList(stored.client, "p:")
    erasures.note_site(PublishedSite("shop.example", "shop:"), now_ms())
    ann = msgspec.json.encode({"userId": stored.ann})
    stored.client.rpush("shop:rollup:events:latest", ann)
    assert "shop:rollup:events:latest" in exported(site, "ann", now_ms())["redis"]
    stored.aggregate_honours()
    report = forgotten(site)
    assert not report["aggregate's state"].is_pending
    assert report["aggregate's state of shop.example"].is_pending
    assert report["published latest events"][1:3] == (4, 4)
    assert not stored.client.exists("shop:rollup:events:latest")
    later_ms = now_ms() + HOUR_MS
    erasures.report(stored.enriched, {0: later_ms, 1: later_ms}, "shop.example")
    assert not any(line.is_pending for line in forgotten(site).values())
    assert erasures.honoured(stored.enriched).keys() == {0, 1}


def test_foreign_keys_in_the_way_are_removed_or_left_out(stored: Stored, site: Site) -> None:
    for key in (f"visitor:{stored.lookup}", f"detect:{stored.ann}"):
        stored.client.delete(f"p:{key}")
        stored.client.lpush(f"p:{key}", b"theirs")
    for key in ("state_logs", "raw_data", "rollup:events:latest"):
        stored.client.delete(f"p:{key}")
        stored.client.sadd(f"p:{key}", b"theirs")
    stored.client.set("p:enrich:lookup-key", b"short")
    stored.client.set("p:enrich:salt:" + period_of(now_ms(), "daily").label, b"short")
    report = forgotten(site)
    assert report["visitor lookup"][1:3] == report["detect's machines"][1:3] == (1, 1)
    assert report["state log"][1:3] == (0, 0)
    assert exported(site, "ann", now_ms())["redis"] == {}
