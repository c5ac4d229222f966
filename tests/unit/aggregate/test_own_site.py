"""A group of one site counts that site's events exactly, whatever else is in the log."""

from itertools import pairwise
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.aggregate.columns.dimensions import OPEN_DIMENSIONS
from services.aggregate.columns.names import OTHER_CODE
from services.aggregate.service import AggregateService
from services.aggregate.settings import AggregateSettings
from services.aggregate.state.codec import schema_of
from services.aggregate.state.folder import folder_of_group
from services.aggregate.state.opening import delete_unowned, open_partition, resume
from services.aggregate.state.partition import Partition
from shared.events.enriched import encode_enriched
from shared.events.schema import EnrichedEvent
from shared.privacy.erasures import Erasure, Erasures, token_of
from shared.runtime.configuration import ConfigurationError
from shared.runtime.settings import read_settings
from shared.status.gauges import Gauges
from shared.status.health import Health
from shared.streams.event_log import Assignment, Record
from tests.support.fakes.memory_producer import MemoryProducer
from tests.support.fakes.memory_store import MemoryStore
from tests.support.fakes.one_batch import OneBatch
from tests.support.oracle.engine import GOALS, NAIVE_GOALS, as_records, assert_equals_the_oracle, fold, published_at
from tests.support.oracle.naive_rollups import Arrived
from tests.unit.aggregate.test_windows import logs

SITE = "shop.example"
ASSIGNMENT = Assignment(0, 0, 2**60)
NOW_S = 1_795_343_400


def of_site(store: MemoryStore, now_s: int, site: str = SITE) -> Partition:
    return resume(store, ASSIGNMENT, now_s, goals=GOALS, site=site)


def record(offset: int, value: EnrichedEvent | bytes, arrival_s: int = NOW_S) -> Record:
    return Record(0, offset, arrival_s * 1000, b"", value if isinstance(value, bytes) else encode_enriched(value))


def click(user: str = "ada", site: Any = SITE, second: int = NOW_S, **fields: Any) -> EnrichedEvent:
    return EnrichedEvent(second * 1000, user, site=site, **fields)


@given(scenario=logs(), data=st.data(), site=st.sampled_from([SITE, "blog.example", "empty.example"]))
@settings(max_examples=75)
def test_any_batches_and_crashes_give_a_brute_force_count_of_the_sites_events(
    scenario: tuple[list[Arrived], int], data: st.DataObject, site: str
) -> None:
    log, now_s = scenario
    records = as_records(log)
    cuts = sorted({0, len(records), *data.draw(st.lists(st.integers(0, len(records)), max_size=6), label="cuts")})
    store, clock_s = MemoryStore(), log[0].arrival_ms // 1000 if log else now_s
    partition = of_site(store, clock_s, site)
    for first, last in pairwise(cuts):
        partition.advance(clock_s)
        fold(partition, records[first:last])
        if data.draw(st.booleans(), label="checkpoint"):
            partition.checkpoint()
        if data.draw(st.booleans(), label="crash"):
            partition = of_site(store, clock_s, site)
            assert partition.next_offset == last
    assert_equals_the_oracle(published_at([partition], now_s), log, now_s, goals=NAIVE_GOALS, site=site)


@given(scenario=logs())
@settings(max_examples=40)
def test_the_groups_of_all_sites_and_of_each_share_the_events_out(scenario: tuple[list[Arrived], int]) -> None:
    log, now_s = scenario
    read, of_all, of_each = len(log), 0, 0
    for site in ("", SITE, "blog.example"):
        partition = of_site(MemoryStore(), NOW_S, site)
        fold(partition, as_records(log))
        counts = published_at([partition], now_s).meta
        assert counts.balances
        assert counts.read == read
        if site:
            of_each += read - counts.other_site
        else:
            of_all = read - counts.other_site
    without_site = sum(a.event.site not in (SITE, "blog.example", "https://www.Shop.example:443/") for a in log)
    assert (of_all, of_each) == (read, read - without_site)


def test_what_cannot_be_read_is_of_another_site_and_no_dead_letter_of_this_one() -> None:
    partition = of_site(MemoryStore(), NOW_S)
    values: list[EnrichedEvent | bytes] = [
        b"no json",
        click(),
        b'{"site": "shop.example"}',
        click("bob", "blog.example"),
        click("eve", None),
    ]
    partition.receive([record(offset, value) for offset, value in enumerate(values)])
    assert partition.build_batch() == []
    partition.fold()
    meta = published_at([partition], NOW_S).meta
    assert (meta.read, meta.counted, meta.dead_letters, meta.other_site) == (5, 1, 0, 4)
    assert partition.next_offset == 5


def test_an_event_of_the_site_that_is_too_far_ahead_is_refused_and_one_of_another_is_not() -> None:
    partition = of_site(MemoryStore(), NOW_S)
    ahead = NOW_S + 120
    partition.receive([record(0, click(second=ahead)), record(1, click("bob", "blog.example", ahead))])
    assert [refused.offset for refused, _ in partition.build_batch()] == [0]
    partition.fold()
    meta = published_at([partition], NOW_S).meta
    assert (meta.read, meta.dead_letters, meta.other_site) == (2, 1, 1)


def test_an_event_id_of_another_site_makes_no_duplicate() -> None:
    partition = of_site(MemoryStore(), NOW_S)
    fold(partition, [record(0, click(site="blog.example", eventId="e")), record(1, click(eventId="e"))])
    assert published_at([partition], NOW_S).meta.counted == 1


def test_names_of_other_sites_take_no_memory() -> None:
    partition = of_site(MemoryStore(), NOW_S)
    others = [click(f"u{n}", "blog.example", url=f"/{n}", productId=f"p{n}", country=f"c{n}") for n in range(100)]
    fold(partition, [record(offset, event) for offset, event in enumerate(others)])
    names = partition.completed_minutes().names
    assert {len(names.of(dimension.name)) for dimension in OPEN_DIMENSIONS} == {OTHER_CODE + 1}


def test_the_state_of_another_site_is_moved_aside(tmp_path: Path) -> None:
    for site in ("", SITE, "blog.example"):
        partition = open_partition(tmp_path, ASSIGNMENT, NOW_S, site=site)
        assert partition.next_offset is None  # nothing was taken over
        fold(partition, [record(0, click())])
        partition.close()
        again = open_partition(tmp_path, ASSIGNMENT, NOW_S, site=site)
        assert again.next_offset == 1
        again.close()
    assert len({schema_of(site=site) for site in ("", SITE, "blog.example")}) == 3
    assert list(tmp_path.glob("0.set-aside-*"))


def test_the_state_of_another_site_is_deleted_where_a_visitor_was_forgotten(tmp_path: Path) -> None:
    open_partition(tmp_path, Assignment(3, 0, 9), NOW_S, site="blog.example").close()
    erasures = Erasures({token_of("ada"): Erasure(NOW_S * 1000, NOW_S * 1000 + 9)})
    delete_unowned(tmp_path, {0}, erasures, site=SITE)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_for_one_group_at_a_time(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "topic"
    with (
        folder_of_group(folder, ""),
        folder_of_group(folder, ""),  # two replicas
        pytest.raises(ConfigurationError, match=r"STATE_DIR: .* in use by the group of all sites"),
    ):
        folder_of_group(folder, SITE).__enter__()
    with folder_of_group(folder, SITE):
        with pytest.raises(ConfigurationError, match=f"in use by the group of {SITE}"):
            folder_of_group(folder, "blog.example").__enter__()
        with folder_of_group(folder, SITE):
            pass
    with folder_of_group(folder, "longer.blog.example"):
        pass
    with folder_of_group(folder, "b.example"), folder_of_group(folder, "b.example"):
        pass


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({}, "REDIS_PREFIX: is not set; SITE=shop.example needs one of its own"),
        ({"PIPELINE_PREFIX": "all:"}, "REDIS_PREFIX: is not set"),
        ({"PIPELINE_PREFIX": "shop:", "REDIS_PREFIX": "shop:"}, "expected another one than PIPELINE_PREFIX"),
        ({"SITE": "my shop", "REDIS_PREFIX": "shop:"}, "expected a host, such as shop.example"),
    ],
)
def test_a_site_needs_a_name_and_a_prefix_of_its_own(
    options: dict[str, str], complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ({"SITE": SITE} | options).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=complaint):
        read_settings(AggregateSettings)


def test_each_site_has_a_group_of_its_own_and_shares_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_PREFIX", "shop:")
    everything = read_settings(AggregateSettings)
    assert (everything.group, everything.shared_prefix) == ("aggregate", "shop:")
    monkeypatch.setenv("SITE", "https://www.Shop.example/")
    monkeypatch.setenv("PIPELINE_PREFIX", "all:")
    own = read_settings(AggregateSettings)
    assert (own.site, own.group, own.shared_prefix) == (SITE, "aggregate-shop.example", "all:")


def test_only_the_group_of_all_sites_keeps_dead_letters(tmp_path: Path) -> None:
    ahead = [record(0, click(second=NOW_S + 120)), record(1, b"no json")]
    for options, kept, counted in (({}, 2, 2), ({"site": SITE, "redis_prefix": "shop:"}, 0, 1)):
        stop, gauges, producer = Event(), Gauges(), MemoryProducer()
        service = AggregateService(
            AggregateSettings(state_dir=tmp_path / str(kept), **options),  # type: ignore[arg-type] # of either
            producer=producer,
            offer=lambda _: None,
            health=Health("test"),
            clock=lambda: float(NOW_S),
            stop=stop,
            gauges=gauges,
        )
        service.on_assigned(Assignment(0, 0, 2))
        service.run(OneBatch.then_stop(ahead, stop))  # type: ignore[arg-type] # without `close`
        assert len(producer.records) == kept
        assert sum(gauges.dead_letters.values()) == counted
        assert gauges.read == {0: 2}
        assert sum(gauges.outcomes.values()) == 2
        service.on_revoked(0)
