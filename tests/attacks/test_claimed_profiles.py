"""Clicks that claim to be of somebody who gets an offer: offers go to those whom the lookups know to be."""

from collections.abc import Mapping, Sequence
from threading import Event
from typing import Any, Self

import fakeredis
import msgspec
import pytest

from services.detect.machines import MachineStore
from services.detect.service import DetectService
from services.enrich.attributes.agent import Agent
from services.enrich.lookups.catalogue import UNKNOWN_VISITOR, ProductFacts, VisitorFacts, visitor_of
from services.enrich.transform.enrich import Enricher
from services.enrich.transform.rules import Rules
from shared.events.enriched import encode_enriched
from shared.events.raw import decode_raw
from shared.events.schema import EnrichedEvent, RawEvent
from shared.status.health import Health
from shared.streams.event_log import NewRecord, Record, RecordBatch, ToAppend

NOW_MS = 1_790_000_000_123
WINDOW_MS = 1_800_000
PATH = (("coat", "clothing"), ("boots", "shoes"), ("hat", "clothing"))
WOMAN_OF_30 = visitor_of(b"F", b"1996-01-02")


class _Log:
    def __init__(self, values: Sequence[bytes]) -> None:
        self.records = [Record(0, offset, NOW_MS, None, value) for offset, value in enumerate(values)]
        self.offers: list[Any] = []

    def poll(self, max_records: int, timeout_seconds: float) -> RecordBatch:  # noqa: ARG002 - never waits
        return RecordBatch(self.records[:max_records])

    def send(self, records: Sequence[ToAppend], next_offsets: Mapping[int, int]) -> None:  # noqa: ARG002 - one batch
        self.offers += [msgspec.json.decode(NewRecord(*record).value)["offer"] for record in records]

    def lag(self) -> dict[int, int]:
        return {}

    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...


def enriched(claims: Mapping[str, Any], visitor: VisitorFacts) -> list[bytes]:
    """The path that earns an offer, clicked with these claims by a visitor whom the lookups know so."""
    enrich = Enricher(Rules()).enrich
    values = []
    for number, (product, category) in enumerate(PATH):
        click = decode_raw(
            msgspec.json.encode({"timestamp": NOW_MS + number, "userId": "eve", "productId": product, **claims})
        )
        assert isinstance(click, RawEvent)
        event = enrich(click, "eve", None, ProductFacts(category, product), visitor, "France", Agent("Mobile"), NOW_MS)
        assert isinstance(event, EnrichedEvent)
        values.append(encode_enriched(event))
    return values


def offers(values: Sequence[bytes], *, trusts_claims: bool = False) -> list[str]:
    log = _Log(values)
    DetectService(
        log,
        MachineStore(fakeredis.FakeRedis(), "", WINDOW_MS),
        enriched_topic="enriched",
        offers_topic="offers",
        window_ms=WINDOW_MS,
        health=Health("detect"),
        stop=Event(),
        now_ms=lambda: NOW_MS,
        log_address="memory",
        redis_address="memory",
        trusts_claims=trusts_claims,
    ).work()
    return log.offers


@pytest.mark.parametrize(
    "claims",
    [{"gender": "M", "age": 40}, {"gender": "F", "age": 30}, {"gender": "m", "age": 35.5}, {"age": 40}],
    ids=str,
)
def test_a_claim_wins_no_offer(claims: Mapping[str, Any]) -> None:
    """Before: a click's gender and age decided, so anybody could get any offer."""
    assert offers(enriched(claims, UNKNOWN_VISITOR)) == []


@pytest.mark.parametrize("claims", [{}, {"gender": "M"}, {"age": 40}, {"age": -1}, {"gender": "M", "age": 40}], ids=str)
def test_a_claim_changes_no_offer(claims: Mapping[str, Any]) -> None:
    assert WOMAN_OF_30 is not None
    assert offers(enriched(claims, WOMAN_OF_30)) == ["offer2"]


def test_a_site_can_trust_claims() -> None:
    assert offers(enriched({"gender": "M", "age": 40}, UNKNOWN_VISITOR), trusts_claims=True) == ["offer1"]
