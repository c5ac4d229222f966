"""MAX_NAMES: names beyond it count as (other), and no event is lost. A restart repeats which names these are."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from threading import Event
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from services.aggregate.columns.names import OTHER_CODE, Names
from services.aggregate.encoding.batch_builder import COUNTED_EVENTS
from services.aggregate.rollups.segments import encode_segment
from services.aggregate.service import AggregateService
from services.aggregate.settings import AggregateSettings
from services.aggregate.state.opening import resume
from services.aggregate.state.partition import Partition
from shared.events.enriched import encode_enriched
from shared.events.schema import EnrichedEvent
from shared.rollups.contract import Rollup
from shared.rollups.model import OTHER_NAME
from shared.status.gauges import Gauges
from shared.status.health import Health
from shared.streams.event_log import Assignment, Record
from tests.support.fakes.memory_producer import MemoryProducer
from tests.support.fakes.memory_store import MemoryStore
from tests.support.fakes.one_batch import OneBatch
from tests.support.oracle.engine import published_of

START_S = 1_795_343_400
MOST = 4

numbers = st.integers(0, 9)
clicks = st.lists(st.tuples(numbers, numbers, numbers, numbers), max_size=30)
steps = st.lists(clicks | st.sampled_from(["checkpoint", "crash"]), max_size=8)


def opened(store: MemoryStore, now_s: int = START_S) -> Partition:
    partition = resume(store, Assignment(0, 0, 1 << 40), now_s)
    partition.limit(COUNTED_EVENTS, MOST)
    return partition


def click(page: object, product: object, country: object, source: object, **fields: Any) -> EnrichedEvent:
    return EnrichedEvent(
        timestamp=START_S * 1000,
        userId="ada",
        url=f"https://shop.example/{page}",
        productId=f"p{product}",
        category=f"c{product}",
        title=f"t{product}",
        country=f"{country}",
        referrer=f"https://{source}.example/",
        **fields,
    )


def fold(into: Partition, events: Iterable[EnrichedEvent]) -> None:
    first = into.next_offset or 0
    records = [Record(0, first + n, event.timestamp, None, encode_enriched(event)) for n, event in enumerate(events)]
    if records:
        into.receive(records)
        into.build_batch()
        into.fold()


def counted(names: list[str]) -> Counter[str]:
    """What names count as when only the first MOST distinct ones fit."""
    known = list(dict.fromkeys(names))[:MOST]
    return Counter(name if name in known else OTHER_NAME for name in names)


@settings(max_examples=60)
@given(steps)
def test_the_first_names_count_and_the_others_count_together(steps: list[Any]) -> None:
    store = MemoryStore()
    own = opened(store)
    seen: list[tuple[int, int, int, int]] = []
    for step in steps:
        if step == "checkpoint":
            own.checkpoint()
        elif step == "crash":
            own = opened(store)
        else:
            fold(own, [click(*numbers) for numbers in step])
            seen += step
    columns = list(zip(*seen, strict=True)) or [(), (), (), ()]
    page, product, country, source = (list(map(str, column)) for column in columns)
    figures = published_of([own.snapshot()]).audiences["all"]
    assert figures.views["1h"] == len(seen)
    assert figures.pages_1h == counted([f"/{name}" for name in page])
    assert figures.products_1h == counted([f"p{name}" for name in product])
    assert figures.categories_1h == counted([f"c{name}" for name in product])
    assert figures.countries_1h == counted(country)
    assert figures.sources_1h == counted([f"{name}.example" for name in source])
    assert set(own.others_shown()) == {
        dimension
        for dimension, column in zip(("page", "product", "country", "source"), columns, strict=True)
        if len(set(column)) > MOST
    }


def rollup(of: Partition) -> Rollup:
    return published_of([of.snapshot()])


def test_names_fit_again_once_others_have_left() -> None:
    own = opened(MemoryStore())
    fold(own, [click(*[number] * 4) for number in range(10)])
    assert own.take_counted_as_other() == dict.fromkeys(("page", "product", "country", "source"), 6)
    assert own.take_counted_as_other() == {}
    info = rollup(own).products_info
    assert info[OTHER_NAME] == {"title": OTHER_NAME, "category": OTHER_NAME}
    own.advance(START_S + 5 * 3600)
    own.checkpoint()
    assert own.others_shown() == []
    later = [click(*[number] * 4) for number in (7, 8, 9)]
    fold(own, [EnrichedEvent(**{**_fields(event), "timestamp": (START_S + 5 * 3600) * 1000}) for event in later])
    assert rollup(own).audiences["all"].pages_1h == {"/7": 1, "/8": 1, "/9": 1}
    assert own.take_counted_as_other() == {}


def _fields(event: EnrichedEvent) -> dict[str, Any]:
    return {name: getattr(event, name) for name in event.__struct_fields__}


def test_a_segment_shows_them_as_other() -> None:
    own = opened(MemoryStore())
    fold(own, [click(*[number] * 4) for number in range(6)])
    own.advance(START_S + 200)
    minutes = own.completed_minutes()
    ((_, chunks),) = minutes.minutes.values()
    table = pa.ipc.open_stream(encode_segment(chunks, minutes.names, 1000)).read_all()
    assert table["page"].to_pylist() == ["/0", "/1", "/2", "/3", OTHER_NAME, OTHER_NAME]
    assert table["category"].to_pylist() == ["c0", "c1", "c2", "c3", OTHER_NAME, OTHER_NAME]


def test_a_name_that_reads_like_it_degrades_nothing() -> None:
    own = opened(MemoryStore())
    fold(own, [click(1, 1, OTHER_NAME, 1)])
    assert own.others_shown() == []
    assert own.take_counted_as_other() == {}
    fold(own, [click(1, 1, number, 1) for number in range(5)])
    assert rollup(own).audiences["all"].countries_1h == {OTHER_NAME: 2} | {f"{number}": 1 for number in range(4)}
    assert own.others_shown() == ["country"]


def test_a_lower_limit_keeps_the_names_that_are_known() -> None:
    names: Names[str] = Names(other=OTHER_NAME)
    for name in "abc":
        names.codes[name]
    names.limit(2)
    assert [names.codes[name] for name in "abcd"] == [1, 2, 3, OTHER_CODE]
    assert names.has_refused


def test_the_health_is_degraded_while_the_figures_have_any(tmp_path: Path) -> None:
    stop, gauges, health, clock = Event(), Gauges(), Health("test"), [START_S]
    reasons: list[str | None] = []

    def advance(poll: int) -> None:
        trouble = health.troubles().get("names")
        reasons.append(None if trouble is None else trouble.reason)
        clock[0] += 1 if poll < 5 else 1200
        if poll == 10:
            stop.set()

    listener = AggregateService(
        AggregateSettings(state_dir=tmp_path, max_names=10),
        producer=MemoryProducer(),
        offer=lambda _: None,
        health=health,
        gauges=gauges,
        clock=lambda: float(clock[0]),
        stop=stop,
    )
    listener.on_assigned(Assignment(0, 0, 30))
    events = [click(number, 1, "Kenya", 1) for number in range(30)]
    records = [Record(0, n, START_S * 1000, None, encode_enriched(event)) for n, event in enumerate(events)]
    listener.run(OneBatch(records, advance))  # type: ignore[arg-type] # without `close`
    listener.on_revoked(0)
    assert gauges.counted_as_other == {"page": 20}
    note = "pages beyond MAX_NAMES=10 of a partition count as (other) in figures of the last hour"
    assert reasons[0] is None
    assert note in reasons
    assert reasons[-1] is None
