"""The store's contract, for RocksDB and for memory, and the failures of the real one."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rocksdict import Options, Rdict
from structlog.testing import capture_logs

from services.aggregate.state.codec import SCHEMA
from services.aggregate.state.opening import open_partition
from services.aggregate.state.partition import PartitionStore
from services.aggregate.state.store import SavedState, StateUnusable, StateUnwritable, Store
from shared.events.enriched import encode_enriched
from shared.events.schema import EnrichedEvent
from shared.streams.event_log import Assignment, FromOffset, FromTime, Record
from tests.support.fakes.memory_store import MemoryStore

NOW_S = 1_795_343_400


@pytest.fixture(params=["rocksdb", "memory"])
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], PartitionStore]:
    """Opens the store again after the test closed it."""
    if request.param == "memory":
        store = MemoryStore()
        return lambda: store
    return lambda: Store(tmp_path / "0", SCHEMA)


def test_a_new_store_holds_nothing(reopen: Callable[[], PartitionStore]) -> None:
    store = reopen()
    assert store.read() is None
    store.close()


def test_blocks_are_read_in_order_with_the_next_offset(reopen: Callable[[], PartitionStore]) -> None:
    store = reopen()
    store.begin(loaded_from_ms=5)
    for number in range(300):
        store.append(b"block %d" % number, next_offset=number + 1)
    store.close()
    store = reopen()
    assert store.read() == SavedState({}, [b"block %d" % number for number in range(300)], 300, 5)
    store.close()


def test_beginning_again_after_a_gap_keeps_the_rest(reopen: Callable[[], PartitionStore]) -> None:
    store = reopen()
    store.begin(loaded_from_ms=5)
    store.checkpoint({"head": b"1"}, {})
    store.append(b"block", 1)
    store.begin(loaded_from_ms=9, topic_id="t1")
    store.close()
    store = reopen()
    assert store.read() == SavedState({"head": b"1"}, [b"block"], 1, 9, "t1")
    store.close()


def test_a_checkpoint_replaces_the_blocks_before_it(reopen: Callable[[], PartitionStore]) -> None:
    store = reopen()
    store.begin(loaded_from_ms=5)
    store.append(b"old", 1)
    store.checkpoint({"head": b"1"}, {})
    store.append(b"between", 2)
    store.checkpoint({"head": b"2"}, {})
    store.append(b"after", 3)
    store.close()
    store = reopen()
    assert store.read() == SavedState({"head": b"2"}, [b"after"], 3, 5)
    store.append(b"last", 4)
    store.close()
    store = reopen()
    assert store.read() == SavedState({"head": b"2"}, [b"after", b"last"], 4, 5)
    store.close()


def test_a_checkpoint_keeps_the_parts_that_it_does_not_write_and_drops_the_old_ones(
    reopen: Callable[[], PartitionStore],
) -> None:
    store = reopen()
    store.begin(loaded_from_ms=5)
    store.checkpoint({"head": b"1", "rows/7": b"seven", "rows/8": b"eight", "rowsless": b"kept"}, {})
    store.checkpoint({"rows/8": b"eight and more", "rows/9": b"nine"}, {"rows/": "rows/8", "empty/": "empty/1"})
    store.close()
    store = reopen()
    saved = store.read()
    assert saved is not None
    assert saved.checkpoint == {"head": b"1", "rows/8": b"eight and more", "rows/9": b"nine", "rowsless": b"kept"}
    store.close()


@given(
    steps=st.lists(
        st.one_of(
            st.binary(max_size=50),
            st.tuples(
                st.dictionaries(st.sampled_from(["a", "b/1", "b/2", "b/3"]), st.binary(max_size=9)),
                st.dictionaries(st.just("b/"), st.sampled_from(["b/1", "b/2", "b/4"])),
            ),
            st.none(),
        ),
        max_size=12,
    )
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_rocksdb_equals_memory_across_reopening(
    steps: list[bytes | tuple[dict[str, bytes], dict[str, str]] | None],
) -> None:
    import tempfile  # all examples would share the fixture's folder

    with tempfile.TemporaryDirectory() as directory:
        real, memory = Store(Path(directory), SCHEMA), MemoryStore()
        for store in (real, memory):
            store.begin(7)
        for offset, step in enumerate(steps):
            if step is None:
                real.close()
                real = Store(Path(directory), SCHEMA)
                assert real.read() == memory.read()
            for store in (real, memory):
                if isinstance(step, bytes):
                    store.append(step, offset)
                elif step is not None:
                    store.checkpoint(*step)
        assert real.read() == memory.read()
        real.close()


def test_a_second_process_finds_the_store_locked(tmp_path: Path) -> None:
    store = Store(tmp_path / "0", SCHEMA)
    with pytest.raises(StateUnwritable):
        Store(tmp_path / "0", SCHEMA)
    store.close()


def test_state_of_another_schema_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path / "0", "another")
    store.begin(0)
    store.close()
    with pytest.raises(StateUnusable, match="schema"):
        Store(tmp_path / "0", SCHEMA)


def test_a_foreign_database_is_refused(tmp_path: Path) -> None:
    foreign = Rdict(str(tmp_path / "0"), options=Options(raw_mode=True))
    foreign[b"key"] = b"theirs"
    foreign.close()
    with pytest.raises(StateUnusable, match="not ours"):
        Store(tmp_path / "0", SCHEMA)


ASSIGNMENT = Assignment(0, begin_offset=0, end_offset=10, topic_id="t1")


def a_state(directory: Path) -> None:
    """Store the state of a partition after its first record."""
    partition = open_partition(directory, ASSIGNMENT, NOW_S)
    event = EnrichedEvent(timestamp=NOW_S * 1000, userId="u")
    partition.receive([Record(0, 0, NOW_S * 1000, b"u", encode_enriched(event))])
    assert partition.build_batch() == []
    partition.fold()
    partition.close()


@pytest.mark.parametrize("topic_id", ["t1", ""], ids=["same topic", "topic unknown"])
def test_usable_state_resumes_at_its_offset(tmp_path: Path, topic_id: str) -> None:
    a_state(tmp_path)
    partition = open_partition(tmp_path, replace(ASSIGNMENT, topic_id=topic_id), NOW_S)
    assert partition.position == FromOffset(1)
    partition.close()
    assert [path.name for path in tmp_path.iterdir()] == ["0"]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ("garbled block", "it cannot be read"),
        ("torn manifest", "Corruption"),
        ("ahead of the topic", "past the topic's end"),
        ("of another topic", "deleted and recreated"),
    ],
)
def test_unusable_state_is_set_aside_and_rebuilt_by_time(tmp_path: Path, damage: str, reason: str) -> None:
    a_state(tmp_path)
    assignment = ASSIGNMENT
    match damage:
        case "garbled block":
            store = Store(tmp_path / "0", SCHEMA)
            store.read()  # finds the key of the next block
            store.append(b"\xc1 no block", 2)
            store.close()
        case "torn manifest":
            for manifest in (tmp_path / "0").glob("MANIFEST-*"):
                manifest.write_bytes(b"torn")
        case "ahead of the topic":
            assignment = replace(ASSIGNMENT, end_offset=0)
        case "of another topic":
            assignment = replace(ASSIGNMENT, topic_id="t2")
    with capture_logs() as lines:
        partition = open_partition(tmp_path, assignment, NOW_S)
    assert isinstance(partition.position, FromTime)
    partition.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", f"0.set-aside-{NOW_S}"]
    (warning,) = [line for line in lines if line["log_level"] == "warning"]
    assert reason in warning["reason"]
    # Its replacement is used.
    partition = open_partition(tmp_path, assignment, NOW_S + 1)
    partition.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", f"0.set-aside-{NOW_S}"]


def test_state_without_a_topic_id_is_kept_and_gets_one(tmp_path: Path) -> None:
    before = replace(ASSIGNMENT, topic_id="")
    open_partition(tmp_path, before, NOW_S).close()
    open_partition(tmp_path, ASSIGNMENT, NOW_S).close()
    assert [path.name for path in tmp_path.iterdir()] == ["0"]
    open_partition(tmp_path, replace(ASSIGNMENT, topic_id="t2"), NOW_S).close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", f"0.set-aside-{NOW_S}"]
