"""The last proof as the publisher reads it, for its metrics."""

from collections.abc import Callable
from typing import Any

import fakeredis
import pytest

from services.aggregate.publishing.proof_reader import ProofReader
from shared.rollups.proof import PROOF_ROW, Proof
from shared.rollups.writing import write_row

KEY = f"p:{PROOF_ROW.key}"
PROOF = Proof(result="equal", at_ms=5_000)


@pytest.fixture
def client() -> Any:
    return fakeredis.FakeRedis()


def write(client: Any) -> None:
    with client.pipeline() as pipeline:
        write_row(pipeline, KEY, PROOF_ROW, PROOF)
        pipeline.execute()


def test_a_proof_is_read_every_five_seconds(client: Any) -> None:
    reader = ProofReader(client, "p:")
    reader.look(0)
    assert reader.latest is None
    write(client)
    reader.look(4)
    assert reader.latest is None
    reader.look(5)
    assert reader.latest == PROOF


@pytest.mark.parametrize(
    "damage",
    [
        lambda client: client.hset(KEY, "at_ms", "x"),
        lambda client: client.delete(KEY),
        lambda client: client.delete(KEY) and client.set(KEY, "x"),
    ],
    ids=["a field", "the key", "its type"],
)
def test_an_unreadable_proof_counts_as_none(client: Any, damage: Callable[[Any], object]) -> None:
    write(client)
    reader = ProofReader(client, "p:")
    reader.look(0)
    assert reader.latest == PROOF
    damage(client)
    reader.look(5)
    assert reader.latest is None
