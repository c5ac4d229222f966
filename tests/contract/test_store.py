"""The store's contract, for RocksDB and for memory, and the failures of the real one."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rocksdict import Options, Rdict
from structlog.testing import capture_logs

from services.aggregate.state import database as database_module
from services.aggregate.state.codec import SCHEMA
from services.aggregate.state.database import Database, StateUnusable, StateUnwritable, write_batch
from services.aggregate.state.opening import open_partition
from services.aggregate.state.partition import PartitionStore
from services.aggregate.state.store import SavedState, Store, set_aside
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
    store.begin(loaded_from_ms=9, topic_id="t1", digest_key=b"secret")
    store.close()
    store = reopen()
    assert store.read() == SavedState({"head": b"1"}, [b"block"], 1, 9, "t1", b"secret")
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
@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
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


def lose(path: Path, what: str) -> None:
    """Leave the database as if a file of it were missing or older than the others."""
    store = Store(path, SCHEMA)
    store.read()
    if what in ("lost checkpoint", "older part"):
        store.checkpoint({"head": b"1"}, {})
    store.close()
    database = Rdict(str(path), options=Options(raw_mode=True))
    match what:
        case "lost block":
            del database[b"block/" + b"0" * 16]
        case "lost checkpoint":
            del database[b"checkpoint/head"]
        case "older part":
            database[b"checkpoint/head"] = b"0"
        case "older position":
            database[b"position"] = msgspec.msgpack.encode((0, "t1", b"", None, 0, 0, 0))
    database.close()


def test_block_numbers_are_never_reused(tmp_path: Path) -> None:
    store = Store(tmp_path / "0", SCHEMA)
    store.begin(0)
    store.append(b"one", 1)
    store.checkpoint({}, {})
    store.close()
    store = Store(tmp_path / "0", SCHEMA)
    store.read()
    store.append(b"two", 2)
    store.close()
    database = Rdict(str(tmp_path / "0"), options=Options(raw_mode=True))
    assert b"block/%016x" % 1 in database
    database.close()


def test_a_database_that_an_earlier_release_has_open_is_not_set_aside(tmp_path: Path) -> None:
    """It locks only RocksDB's own file, and its folder may have any name."""
    path = tmp_path / "No space left on device Corruption:" / "0"
    program = f"from rocksdict import Rdict; database = Rdict({str(path)!r}); print('open', flush=True); input()"
    path.parent.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        for _ in range(2):
            with pytest.raises(StateUnwritable):
                Store(path, SCHEMA)
        process.communicate("end\n")
    with pytest.raises(StateUnusable):
        Store(path, SCHEMA)


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("Corruption: block checksum mismatch: stored = 1, computed = 2 in /state/0/000017.sst", StateUnusable),
        ("Corruption: No space left on device", StateUnusable),
        (
            "IO error: No space left on device: While appending to file: /s/0/1.log: No space left on device",
            StateUnwritable,
        ),
        ("IO error: No such file or directory: /No space left on device/lock/MANIFEST-4: No such file", StateUnusable),
        ("IO error: While open a file for random read: /s/0/1.sst: Too many open files", StateUnwritable),
        ("IO error: While open a file for appending: /s/0/LOG: Permission denied", StateUnwritable),
        ("IO error: While appending to file: /s/0/1.log: File too large", StateUnwritable),
        ("File too large (os error 27)", StateUnwritable),
        ("No such file or directory (os error 2)", StateUnusable),
        ("Invalid argument: blocked by a lock", StateUnusable),
    ],
)
def test_what_a_failure_to_open_means(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, message: str, kind: type[Exception]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise Exception(message)  # noqa: TRY002 - as rocksdict does

    monkeypatch.setattr(database_module, "Rdict", fail)
    with pytest.raises(kind):
        Store(tmp_path / "0", SCHEMA)


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("IO error: While open a file for random read: /s/0/1.sst: Too many open files", StateUnwritable),
        ("IO error: While pread offset 0 len 4096: /s/0/1.sst: Cannot allocate memory", StateUnwritable),
        ("IO error: While pread offset 0 len 4096: /s/0/1.sst: Input/output error", StateUnwritable),
        ("Corruption: block checksum mismatch: stored = 1, computed = 2 in /s/0/1.sst", StateUnusable),
        ("IO error: While open a file for random read: /s/0/1.sst: No such file or directory", StateUnusable),
    ],
)
def test_what_a_failure_to_read_means(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, message: str, kind: type[Exception]
) -> None:
    failure = Exception(message)  # as rocksdict raises it
    broken = Mock(get=Mock(side_effect=failure), items=Mock(side_effect=failure))
    database = Database(tmp_path / "0")
    with pytest.MonkeyPatch.context() as reading:
        reading.setattr(database, "_database", broken)
        with pytest.raises(kind):
            database.get(b"position")
        with pytest.raises(kind):
            list(database.scan(b"", b"\xff"))
    database.close()
    monkeypatch.setattr(Database, "get", Mock(side_effect=StateUnwritable("Too many open files")))
    with pytest.raises(StateUnwritable):
        Store(tmp_path / "0", SCHEMA)
    monkeypatch.undo()
    Store(tmp_path / "0", SCHEMA).close()  # the failure left no lock


def test_damage_that_a_write_finds_is_found_by_the_next_opening(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "0", SCHEMA)
    store.begin(0)
    store.append(b"acknowledged", 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database_module.Database, "write", unwritable)
        with pytest.raises(StateUnwritable):
            store.append(b"refused", 2)

    def reopen(database: Database) -> None:
        batch = write_batch()
        batch.delete(b"position")  # as if the file system had lost the writes before
        database.write(batch)

    monkeypatch.setattr(Database, "reopen", reopen)
    with pytest.raises(StateUnusable, match="lost writes"):
        store.append(b"refused", 2)
    store.close()
    with pytest.raises(StateUnusable, match="lost writes"):
        Store(tmp_path / "0", SCHEMA)


def unwritable(*_: object) -> None:
    raise StateUnwritable("no space left")


def test_a_write_is_repeated_after_the_disk_refused_it(tmp_path: Path) -> None:
    store = Store(tmp_path / "0", SCHEMA)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database_module.Database, "write", unwritable)
        for _ in range(2):
            with pytest.raises(StateUnwritable):
                store.begin(5)
    store.begin(5)
    store.append(b"block", 1)
    store.close()
    store = Store(tmp_path / "0", SCHEMA)
    assert store.read() == SavedState({}, [b"block"], 1, 5)
    store.close()


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from services.aggregate.state.database import StateUnwritable
from services.aggregate.state.store import Store
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = Store(Path(sys.argv[1]), "schema")
store.begin(5)
store.append(b"before", 1)
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, most))
for _ in range(3):
    try:
        store.append(b"later", 2)
    except StateUnwritable:
        print("unwritable")
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
store.append(b"later", 2)
store.close()
print(Store(Path(sys.argv[1]), "schema").read().blocks)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="no file of this process may grow, as on a full disk")
def test_a_store_on_a_full_disk_waits_and_goes_on(tmp_path: Path) -> None:
    run = [sys.executable, "-c", FULL_DISK, str(tmp_path / "0")]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:4] == ["unwritable"] * 3 + ["[b'before', b'later']"]


def test_a_partition_whose_first_write_failed_opens_once_the_disk_takes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as full:
        full.setattr(Database, "write", Mock(side_effect=StateUnwritable("No space left on device")))
        with pytest.raises(StateUnwritable, match="No space"):
            open_partition(tmp_path, ASSIGNMENT, NOW_S)
    open_partition(tmp_path, ASSIGNMENT, NOW_S).close()


def test_only_the_latest_set_aside_states_are_kept(tmp_path: Path) -> None:
    for now_s in range(5):
        (tmp_path / "0").mkdir()
        set_aside(tmp_path / "0", NOW_S + now_s)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"0.set-aside-{NOW_S + now_s}" for now_s in (2, 3, 4)]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ("garbled block", "it cannot be read"),
        ("torn manifest", "Corruption"),
        ("lost block", "0 blocks do not match the 1 that were stored"),
        ("lost checkpoint", "first head"),
        ("older part", "first head"),
        ("older position", "1 blocks do not match the 0 that were stored"),
        ("without CURRENT", "CURRENT is missing"),
        ("known damage", "found while it was in use"),
        ("a file", "is not a folder"),
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
        case "lost block" | "lost checkpoint" | "older part" | "older position":
            lose(tmp_path / "0", damage)
        case "without CURRENT":
            (tmp_path / "0" / "CURRENT").unlink()
        case "known damage":
            database = Database(tmp_path / "0")
            database.mark_damaged("found while it was in use")
            database.close()
        case "a file":
            shutil.rmtree(tmp_path / "0")
            (tmp_path / "0").write_text("no folder")
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
