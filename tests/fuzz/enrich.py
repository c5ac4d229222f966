"""Sends mutated events through all of enrich: `make fuzz`, and a part of it in the tests.

Each event must come out once, enriched and readable, or as a dead letter with its bytes.
"""

import hashlib
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from threading import Event
from typing import Final, Self

import fakeredis

from services.enrich.lookups.redis_lookups import Lookups
from services.enrich.service import EnrichService, Route
from services.enrich.tally import Tally
from services.enrich.transform.rules import Rules
from shared.events.dead_letters import PREFIX_BYTES, WHOLE_BYTES
from shared.events.enriched import decode_enriched
from shared.events.refusals import Reason
from shared.events.schema import EnrichedEvent
from shared.privacy.pseudonyms import Pseudonyms
from shared.status.health import Health
from shared.streams.event_log import NewRecord, Record, RecordBatch, ToAppend
from tests.fuzz import command
from tests.support.samples.mutations import NOW_MS, mutated_events

BATCH: Final = 1_000
_ROUTE: Final = Route("click-data", "enriched-click-data", "memory", "memory", batch_records=BATCH)
_REASONS: Final = {reason.value.encode() for reason in Reason}
_SHOWN_BYTES: Final = 2_000


class MistreatedEventError(AssertionError):
    """An event was lost, duplicated or changed."""


class FuzzedLog:
    """A `Processor` that returns one batch and keeps its outputs."""

    def __init__(self) -> None:
        self.batch: list[Record] = []
        self.outputs: list[NewRecord] = []

    def poll(self, max_records: int, timeout_seconds: float) -> RecordBatch:  # noqa: ARG002 - all that is there
        return RecordBatch(self.batch)

    def send(self, records: Sequence[ToAppend], next_offsets: Mapping[int, int]) -> None:  # noqa: ARG002
        self.outputs = [NewRecord(*record) for record in records]

    def lag(self) -> dict[int, int]:
        return {}

    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...


def fuzz(seed: int, events: int) -> Counter[str]:
    """Send `events` events of the seed through enrich, every other batch hashed and truncated.

    Counts the outcomes: "enriched", or the reason of the dead letter. Raises MistreatedEventError.
    """
    client = fakeredis.FakeRedis()
    client.hset("product:V1", mapping={"cat": "vases", "title": "Größe"})
    client.hset("visitor:user1", mapping={"gender": "F", "birthday": "2000-02-29"})
    log = FuzzedLog()
    plain, private = _service(log, client, is_private=False), _service(log, client, is_private=True)
    outcomes: Counter[str] = Counter()
    for number, batch in enumerate(_batches(seed, events)):
        log.batch = batch
        try:
            (private if number % 2 else plain).work()
            outcomes.update(_outcome(*pair) for pair in zip(batch, log.outputs, strict=True))
        except Exception as error:
            place = f"seed {seed}, batch {number}"
            culprit = _culprit(batch, plain, log)
            raise MistreatedEventError(f"{place}: {error!r} by {culprit!r:.{_SHOWN_BYTES}}") from error
    if outcomes.total() != events:
        raise MistreatedEventError(f"seed {seed}: {events} events went in, {outcomes.total()} came out")
    return outcomes


def _service(log: FuzzedLog, client: fakeredis.FakeRedis, *, is_private: bool) -> EnrichService:
    return EnrichService(
        log,
        Lookups(client, "", found_seconds=1e9, missing_seconds=1e9, cache_entries=10_000, clock=lambda: 0.0),
        _ROUTE,
        tally=Tally(lambda: 0.0),
        health=Health("fuzz"),
        stop=Event(),
        pseudonyms=Pseudonyms(client, "", "daily", "a secret of some length", lambda: NOW_MS) if is_private else None,
        rules=Rules(exposes_pii=not is_private),
    )


def _batches(seed: int, events: int) -> Iterator[list[Record]]:
    values = islice(mutated_events(seed), events)
    while batch := [Record(0, place, NOW_MS, b"as sent", value) for place, value in enumerate(islice(values, BATCH))]:
        yield batch


def _outcome(record: Record, output: NewRecord) -> str:
    """The outcome of a record. Raises AssertionError if the output is wrong."""
    if output.topic == "enriched-click-data":
        event = decode_enriched(output.value)
        assert isinstance(event, EnrichedEvent), f"enriched, but {event}"
        assert output.key == event.userId.encode(), f"of {event.userId}, but under {output.key!r}"
        return "enriched"
    headers = dict(output.headers)
    assert (output.topic, output.key) == ("click-data-dlq", record.key)
    if len(record.value) + len(record.key or b"") > WHOLE_BYTES:
        assert output.value == record.value[:PREFIX_BYTES], "a cut dead letter with changed bytes"
        assert headers["bytes"] == str(len(record.value)).encode()
        assert headers["sha256"] == hashlib.sha256(record.value).hexdigest().encode()
    else:
        assert output.value == record.value, "a dead letter with changed bytes"
    assert (headers["reason"], headers["offset"]) == (headers["reason"], str(record.offset).encode())
    assert headers["reason"] in _REASONS
    return headers["reason"].decode()


def _culprit(batch: Sequence[Record], service: EnrichService, log: FuzzedLog) -> bytes | None:
    """The first event of a failed batch that fails by itself."""
    for record in batch:
        log.batch = [record]
        try:
            service.work()
            _outcome(record, *log.outputs)
        except Exception:  # noqa: BLE001 - that it fails is what is asked
            return record.value
    return None


if __name__ == "__main__":
    sys.exit(command.main("enrich", __doc__, "events", fuzz))
