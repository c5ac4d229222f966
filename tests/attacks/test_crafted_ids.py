"""userIds and eventIds chosen to meet in a hash table. Probes are counted, because time depends on the machine."""

import secrets
from typing import Any

import numpy as np
import pytest

from benchmarks.crafted_ids import clicks, crafted_ids, random_ids
from services.aggregate.columns.arrays import Ints
from services.aggregate.columns.digester import Digester, new_digest_key
from services.aggregate.columns.digests import DigestTable
from services.aggregate.state import opening
from services.aggregate.state.opening import resume
from shared.streams.event_log import Assignment
from tests.support.fakes.memory_store import MemoryStore

NOW_S = 1_795_343_400
ASSIGNMENT = Assignment(0, 0, 1 << 60)


class Probes:
    """Counts the probes beyond the first of each id in all tables, and the steps of batches."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.probes = self.steps = 0
        original: Any = DigestTable._next_slots  # noqa: SLF001 - counted, not changed

        def counted(table: DigestTable, slot: Ints, step: Ints) -> Ints:
            self.probes += len(slot)
            self.steps += 1
            slots: Ints = original(table, slot, step)
            return slots

        monkeypatch.setattr(DigestTable, "_next_slots", counted)

    def of(self, ids: list[str]) -> tuple[int, int]:
        """The probes and steps of a click for each id, and of a restart on the state after them."""
        self.probes = self.steps = 0
        store = MemoryStore()
        partition = resume(store, ASSIGNMENT, NOW_S)
        for batch in clicks(ids):
            partition.receive(batch)
            partition.build_batch()
            partition.fold()
        partition.checkpoint()
        resume(store, ASSIGNMENT, NOW_S)
        return self.probes, self.steps


@pytest.mark.parametrize("knows_the_seed", [False, True], ids=["against XXH3", "against XXH3 with the secret seed"])
def test_crafted_ids_cost_as_much_as_random_ones(
    monkeypatch: pytest.MonkeyPatch, *, knows_the_seed: bool, long: bool
) -> None:
    key = new_digest_key()
    monkeypatch.setattr(opening, "new_digest_key", lambda: key)
    number = 10_000 if long else 700
    crafted = crafted_ids(number, seed=int.from_bytes(key[16:]) if knows_the_seed else 0)
    attacked = Digester(bytes(16) + (key[16:] if knows_the_seed else bytes(8)))
    hashes = [own.tobytes() for own in attacked.hashes(crafted)]
    assert {(own[:3], own[8:11]) for own in hashes} == {(bytes(3), bytes(3))}  # the attack is real
    counting = Probes(monkeypatch)
    random_probes, random_steps = counting.of(random_ids(number))
    probes, steps = counting.of(crafted)
    assert probes <= 1.5 * random_probes
    assert steps <= 3 * random_steps  # a batch takes as many as its longest probe


def test_the_probes_are_what_an_attack_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    """Digests that meet cost the square of their number: what the key prevents."""
    counting = Probes(monkeypatch)
    meeting = np.stack([np.ones(1000, np.uint64), 1 + 2048 * np.arange(1000)], axis=1)
    DigestTable().locate(meeting.astype(np.uint64))
    assert counting.probes > 400_000


def test_keys_differ_and_decide_the_digests() -> None:
    one, other = Digester(new_digest_key()), Digester(new_digest_key())
    assert (one.digests(one.hashes(["ada"])) != other.digests(other.hashes(["ada"]))).all()
    same_hash = np.frombuffer(secrets.token_bytes(16), np.uint64).reshape(1, 2)
    assert (one.digests(same_hash) != other.digests(same_hash)).all()
    with pytest.raises(ValueError, match="3 bytes"):
        Digester(b"abc")


def test_an_event_id_has_another_digest_for_each_visitor() -> None:
    digester = Digester(new_digest_key())
    ada, eve = digester.digests(digester.hashes(["ada", "eve"]))
    owners = np.stack([ada, eve, ada])
    found = digester.digests_within(owners, digester.hashes(["1", "1", "1"]))
    assert (found[0] == found[2]).all()
    assert (found[0] != found[1]).all()
    assert (found[0] != ada).all()
