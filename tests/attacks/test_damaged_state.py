"""Damage to the files of aggregate's state: flipped bits, lost sectors, cut and missing files of every kind."""

import os
import random
import shutil
from collections import Counter
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from services.aggregate.state.opening import open_partition
from services.aggregate.state.partition import Partition
from shared.events.schema import EnrichedEvent
from shared.streams.event_log import Assignment, FromOffset, FromTime
from tests.support.oracle.engine import BASE_S, as_records, assert_equals_the_oracle, figures, fold, published_at
from tests.support.oracle.naive_rollups import Arrived

FILES = ("*.sst", "*.log", "MANIFEST-*", "CURRENT", "OPTIONS-*", "IDENTITY", "rocksdict-config.json")
STORED = 400
"""Records in the state; the others arrive afterwards."""


def a_log() -> list[Arrived]:
    """Ten minutes of clicks by forty visitors, some of them twice or from an hour before."""
    chance = random.Random(7)
    log = []
    for offset in range(STORED + 40):
        arrival_ms = (BASE_S + offset) * 1000 + chance.randrange(1000)
        event = EnrichedEvent(
            timestamp=arrival_ms - chance.choice([0, 0, 0, 700, 90_000, 3_600_000]),
            userId=f"u{chance.randrange(40)}",
            productId=chance.choice([None, "p1", "p2"]),
            category="books",
            deviceType=chance.choice(["Desktop", "Mobile", "Bot"]),
            eventId=f"e{chance.randrange(400)}",
        )
        log.append(Arrived(event, arrival_ms, 0, offset))
    return log


LOG = a_log()


def opened(directory: Path, now_s: int) -> Partition:
    return open_partition(directory, Assignment(0, 0, len(LOG), "t1"), now_s)


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state of a process that was killed, in two tables and a write-ahead log, with checkpoints and blocks."""
    directory, copy = tmp_path_factory.mktemp("open"), tmp_path_factory.mktemp("intact") / "copy"
    partition = opened(directory, BASE_S)
    for start in range(0, STORED, 10):
        partition.advance(BASE_S + start)
        fold(partition, as_records(LOG[start : start + 10]))
        if start in (100, 200, 350):
            partition.checkpoint()
        if start in (150, 250):
            partition.close()
            partition = opened(directory, BASE_S + start)
    shutil.copytree(directory, copy)  # what a kill leaves: closing would empty the write-ahead log
    partition.close()
    kinds = Counter(kind for kind in FILES for file in (copy / "0").glob(kind) if file.stat().st_size)
    assert set(kinds) == set(FILES)
    assert kinds["*.sst"] >= 2
    return copy


def damage(file: Path, chance: random.Random) -> str:
    """Damage a file and return what was done."""
    data = bytearray(file.read_bytes())
    place = chance.randrange(len(data)) if data else 0
    match chance.choice(["bit", "bit", "bit", "bytes", "sector", "cut", "missing"]) if data else "missing":
        case "bit":
            data[place] ^= 1 << chance.randrange(8)
            done = f"flipped a bit at {place}"
        case "bytes":
            data[place : place + 8] = chance.randbytes(min(8, len(data) - place))
            done = f"overwrote bytes at {place}"
        case "sector":
            start, end = place // 512 * 512, min(place // 512 * 512 + 512, len(data))
            data[start:end] = bytes(end - start)
            done = f"zeroed from {start} to {end}"
        case "cut":
            del data[place:]
            done = f"cut at {place}"
        case _:
            file.unlink()
            return f"{file.name}: deleted"
    file.write_bytes(data)
    return f"{file.name}: {done}"


def run(intact: Path, directory: Path, seed: int) -> str:
    """Damage a copy of a state, open it and read the rest of the log. Returns what happened."""
    shutil.copytree(intact, directory)
    chance = random.Random(seed)
    kind = FILES[seed % len(FILES)]
    done = damage(chance.choice(sorted((directory / "0").glob(kind))), chance)
    now_s = BASE_S + len(LOG) + 5
    with capture_logs() as lines:
        partition = opened(directory, BASE_S + STORED)
    try:
        match partition.position:
            case FromOffset(offset):
                rest, outcome = LOG[offset:], "as stored" if offset == STORED else f"as of {offset}"
            case FromTime(since_ms):
                rest, outcome = [arrived for arrived in LOG if arrived.arrival_ms >= since_ms], "rebuilt"
            case position:
                raise AssertionError(position)
        fold(partition, as_records(rest))
        rollup = published_at([partition], now_s)
    finally:
        partition.close()
    partition = opened(directory, now_s)
    if isinstance(partition.position, FromOffset):
        assert figures(published_at([partition], now_s)) == figures(rollup)
    partition.close()
    is_aside = any(line["event"] == "state set aside, rebuilding from the log" for line in lines)
    assert outcome == "rebuilt" or not is_aside
    print(f"seed {seed}: {done} → {outcome}")  # noqa: T201 - pytest shows it when the run fails
    assert_equals_the_oracle(rollup, LOG, now_s)
    shutil.rmtree(directory)
    return f"{kind} {outcome if outcome != 'rebuilt' or is_aside else 'rebuilt without being set aside'}"


def test_damaged_state_opens_with_the_right_numbers_or_is_rebuilt(intact: Path, tmp_path: Path, *, long: bool) -> None:
    first = int(os.environ.get("ATTACK_SEED", "0"))
    outcomes = Counter(run(intact, tmp_path / str(seed), seed) for seed in range(first, first + (200 if long else 21)))
    print(*sorted(outcomes.items()), sep="\n")  # noqa: T201
    assert {"CURRENT rebuilt", "IDENTITY as stored"} <= outcomes.keys()
