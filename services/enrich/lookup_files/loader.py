"""Writes the lookups of a file into Redis."""

import re
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from threading import Event
from typing import Any, Final, NamedTuple

import redis

from services.enrich.lookup_files.columns import Columns, UnusableColumns, columns_of
from services.enrich.lookup_files.fields import VISITORS, Kind, Lookup, RefusedRow, Row
from services.enrich.lookup_files.reading import Reading
from services.enrich.lookup_files.rows import UnreadableFile, read_rows
from services.enrich.privacy.lookup_names import LookupNames
from shared.events.limits import Limits
from shared.privacy.erasure_list import ErasureList
from shared.privacy.erasures import NO_ERASURES, Erasures
from shared.runtime.dependency import Dependency
from shared.runtime.logs import get_logger
from shared.runtime.redis_client import REDIS_UNAVAILABLE

_BATCH: Final = 5_000
_PROGRESS_INTERVAL_SECONDS: Final = 2.0
_SHOWN_REFUSALS: Final = 10

logger = get_logger(__name__)


class Summary(NamedTuple):
    """How many rows of a file were loaded, refused by reason, and how many lookups were deleted.

    `further` rows are variants or images of the product before. `columns` is None without a readable row. `empty` are
    the fields that no loaded row has.
    """

    loaded: int
    refused: Counter[str]
    pruned: int
    further: int = 0
    columns: Columns | None = None
    empty: Sequence[str] = ()


class Loader:
    """Writes lookups into Redis. While Redis is unavailable, waits until `stop` is set."""

    def __init__(
        self,
        client: redis.Redis,
        prefix: str,
        address: str,
        stop: Event,
        *,
        names: LookupNames | None = None,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        erasure_key: bytes = b"",
    ) -> None:
        """`names` are those of the visitors; None means their ids."""
        self._erasures = NO_ERASURES
        self._erasure_key = erasure_key
        self._client = client
        self._prefix = prefix
        self._names = names
        self._limits = limits
        self._redis = Dependency(f"Redis at {address}")
        self._stop = stop

    def load(self, kind: Kind, path: Path, renames: Sequence[tuple[str, str]] = (), *, is_pruned: bool) -> Summary:
        """Write every row of a file; with `is_pruned`, delete all other lookups of its kind.

        `renames` are pairs of a column and the field it holds; those of another kind's fields are ignored. A refused
        row leaves the stored lookup of its id unchanged. Raises UnreadableFile, Stopped and redis.RedisError.
        """
        self._erasures = self._wait_for(self._read_erasures)
        renames = [pair for pair in renames if pair[1] in kind.fields]
        refusals = Refusals(path)
        reading = Reading(kind)
        loaded = 0
        named: set[str] = set()
        next_progress = time.monotonic() + _PROGRESS_INTERVAL_SECONDS
        rows = read_rows(path)
        while batch := list(islice(rows, _BATCH)):
            readable = [row.fields for row in batch if not isinstance(row.fields, str)]
            if reading.columns is None and readable:
                try:
                    reading.columns = columns_of(kind, readable, renames)
                except UnusableColumns as error:
                    raise UnreadableFile(f"{path}: {error}") from None
            lookups = list(self._lookups(reading, batch, named, refusals))
            self._wait_for(partial(self._write, lookups))
            loaded += len(lookups)
            if time.monotonic() >= next_progress:
                next_progress = time.monotonic() + _PROGRESS_INTERVAL_SECONDS
                logger.info("loading", kind=kind.name, loaded=loaded, refused=refusals.by_reason.total())
        # If no row could be read, the file is wrong: it must not delete the whole catalogue.
        pruned = self._prune(kind, named) if is_pruned and loaded else 0
        return Summary(loaded, refusals.by_reason, pruned, reading.further, reading.columns, reading.empty)

    def _lookups(
        self, reading: Reading, rows: Iterable[Row], named: set[str], refusals: "Refusals"
    ) -> Iterator[tuple[str, Mapping[str, str]]]:
        """Yield the key and hash of each valid row. Adds the key of every row with an id to `named`."""
        read = [(row.number, self._read(reading, row)) for row in rows]
        keys = self._keys(
            reading.kind,
            {lookup.lookup_id for _, lookup in read if lookup is not None and lookup.lookup_id is not None},
        )
        named.update(keys.values())
        for number, lookup in read:
            if isinstance(lookup, RefusedRow):
                refusals.add(number, lookup)
            elif lookup is not None:
                yield keys[lookup.lookup_id], lookup.stored

    def _read(self, reading: Reading, row: Row) -> Lookup | RefusedRow | None:
        lookup = reading.read(row, self._limits)
        if reading.kind is VISITORS and isinstance(lookup, Lookup) and self._erasures.includes(lookup.lookup_id):
            return RefusedRow("the visitor was forgotten; remove it from the file", lookup_id=lookup.lookup_id)
        return lookup

    def _read_erasures(self) -> Erasures:
        found = ErasureList(self._client, self._prefix).read(time.time_ns() // 1_000_000)
        return Erasures(found, self._erasure_key)

    def _keys(self, kind: Kind, ids: Collection[str]) -> Mapping[str, str]:
        """The Redis key of each id."""
        names: Sequence[str] = list(ids)
        if kind is VISITORS and self._names is not None:
            names = self._wait_for(partial(self._names.of, names))
        return {lookup_id: kind.key(self._prefix, name) for lookup_id, name in zip(ids, names, strict=True)}

    def _write(self, lookups: Sequence[tuple[str, Mapping[str, str]]]) -> None:
        pipeline = self._client.pipeline(transaction=False)
        for key, stored in lookups:
            pipeline.hset(key, items=[part for field in stored.items() for part in field])
        pipeline.execute()

    def _prune(self, kind: Kind, named: set[str]) -> int:
        pattern = re.sub(r"([*?\[\]^\\-])", r"\\\1", kind.key(self._prefix, "")) + "*"
        cursor, pruned = 0, 0
        while True:
            cursor, keys = self._wait_for(partial(self._client.scan, cursor, pattern, count=1000, _type="HASH"))
            gone = [key for key in keys if key.decode("utf-8", "surrogateescape") not in named]
            if gone:
                pruned += self._wait_for(partial(self._client.unlink, *gone))
            if cursor == 0:
                return pruned

    def _wait_for(self, call: Callable[[], Any]) -> Any:
        return self._redis.wait_for(call, REDIS_UNAVAILABLE, self._stop)


class Refusals:
    """Counts the refused rows of a file by reason, and logs the first few with their numbers."""

    def __init__(self, path: Path) -> None:
        self.by_reason: Counter[str] = Counter()
        self._path = path

    def add(self, number: int, refused: RefusedRow) -> None:
        """Count a refused row."""
        self.by_reason[refused.reason] += 1
        shown = self.by_reason.total()
        if shown <= _SHOWN_REFUSALS:
            logger.warning(
                "row refused", file=str(self._path), row=number, reason=refused.reason, detail=refused.detail
            )
        if shown == _SHOWN_REFUSALS:
            logger.warning("counting further refused rows without logging them", file=str(self._path))
