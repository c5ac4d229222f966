"""`clickpulse load-lookups`: writes products and visitors from files into the Redis hashes that enrich reads."""

import argparse
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from threading import Event
from typing import Any, Final, NamedTuple

import redis

from services.enrich.lookup_files.fields import PRODUCTS, VISITORS, Kind, Lookup, RefusedRow
from services.enrich.lookup_files.rows import Fields, Row, UnreadableFile, read_rows
from services.enrich.privacy.lookup_names import LookupNames
from services.enrich.settings import LookupSettings
from shared.events.limits import Limits
from shared.privacy.erasure_list import ErasureList
from shared.privacy.erasures import NO_ERASURES, Erasures
from shared.runtime.dependency import Dependency, Stopped
from shared.runtime.logs import configure_logs, get_logger
from shared.runtime.redis_client import REDIS_UNAVAILABLE, connect, redis_address
from shared.runtime.settings import CONFIGURATION_ERROR_EXIT_CODE, ConfigurationError, read_settings
from shared.runtime.settings_help import settings_help
from shared.runtime.signals import stop_on_signals

_BATCH: Final = 5_000
_PROGRESS_INTERVAL_SECONDS: Final = 2.0
_SHOWN_REFUSALS: Final = 10

_DESCRIPTION: Final = """\
Write products and visitors into Redis for enrich. Loading a file again changes nothing; a changed row replaces the
stored one.

A file is a JSON array, NDJSON, CSV or TSV with a header, plain or gzip; the format is detected from its content. An
unusable row is refused with its reason and counted."""

logger = get_logger(__name__)


class Summary(NamedTuple):
    """How many rows of a file were loaded, refused by reason, and how many lookups were deleted."""

    loaded: int
    refused: Counter[str]
    pruned: int


def main(argv: Sequence[str]) -> int:
    """Load the files. Returns the exit code: 0 done, 1 failed or nothing loaded, 2 wrong option or setting."""
    parser = _parser()
    options = parser.parse_args(argv)
    files: list[tuple[Kind, Path]] = [
        (kind, path) for kind, path in ((PRODUCTS, options.products), (VISITORS, options.visitors)) if path is not None
    ]
    if not files:
        parser.error("nothing to load: give --products FILE or --visitors FILE, or both")
    for kind, path in files:
        if not path.is_file():
            parser.error(f"--{kind.name}: {path} is not a file; give a JSON, NDJSON or CSV file, plain or gzip")
    try:
        settings = read_settings(LookupSettings)
    except ConfigurationError as error:
        print(f"clickpulse load-lookups: {error}", file=sys.stderr)  # noqa: T201 - before the logs are set up
        return CONFIGURATION_ERROR_EXIT_CODE
    configure_logs("load-lookups", settings.log_format, settings.log_level)
    stop = Event()
    with stop_on_signals(stop), connect(settings.redis_url) as client:
        names = None
        if settings.hash_user_id != "off":
            names = LookupNames(client, settings.redis_prefix, settings.hash_salt)
        address = redis_address(settings.redis_url)
        loader = Loader(
            client,
            settings.redis_prefix,
            address,
            stop,
            names=names,
            limits=settings.limits,
            erasure_key=settings.erasure_key,
        )
        try:
            return max(_load(loader, kind, path, is_pruned=options.prune) for kind, path in files)
        except (UnreadableFile, redis.RedisError) as error:
            logger.error("loading failed", reason=str(error))  # noqa: TRY400 - no trace wanted
        except Stopped:
            logger.warning("stopped before the end")  # rows already loaded stay; the next run starts over
    return 1


def _load(loader: "Loader", kind: Kind, path: Path, *, is_pruned: bool) -> int:
    summary = loader.load(kind, path, is_pruned=is_pruned)
    line = f"{kind.name}: {summary.loaded:,} loaded, {summary.refused.total():,} refused"
    print(line + (f", {summary.pruned:,} deleted" if is_pruned else ""))  # noqa: T201 - the command's answer
    for reason, rows in summary.refused.most_common():
        print(f"  refused {rows:,}: {reason}")  # noqa: T201 - the command's answer
    return 0 if summary.loaded or not summary.refused else 1


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

    def load(self, kind: Kind, path: Path, *, is_pruned: bool) -> Summary:
        """Write every row of a file; with `is_pruned`, delete all other lookups of its kind.

        A refused row leaves the stored lookup of its id unchanged. Raises UnreadableFile, Stopped and redis.RedisError.
        """
        self._erasures = self._wait_for(self._read_erasures)
        refusals = Refusals(path)
        loaded = 0
        named: set[str] = set()
        next_progress = time.monotonic() + _PROGRESS_INTERVAL_SECONDS
        rows = read_rows(path)
        while batch := list(islice(rows, _BATCH)):
            lookups = list(self._lookups(kind, batch, named, refusals))
            self._wait_for(partial(self._write, lookups))
            loaded += len(lookups)
            if time.monotonic() >= next_progress:
                next_progress = time.monotonic() + _PROGRESS_INTERVAL_SECONDS
                logger.info("loading", kind=kind.name, loaded=loaded, refused=refusals.by_reason.total())
        # If no row could be read, the file is wrong: it must not delete the whole catalogue.
        pruned = self._prune(kind, named) if is_pruned and loaded else 0
        return Summary(loaded, refusals.by_reason, pruned)

    def _lookups(
        self, kind: Kind, rows: Iterable[Row], named: set[str], refusals: "Refusals"
    ) -> Iterator[tuple[str, Mapping[str, str]]]:
        """Yield the key and hash of each valid row. Adds the key of every row with an id to `named`."""
        read = [(number, self._read(kind, fields)) for number, fields in rows]
        keys = self._keys(kind, {lookup.lookup_id for _, lookup in read if lookup.lookup_id is not None})
        named.update(keys.values())
        for number, lookup in read:
            if isinstance(lookup, RefusedRow):
                refusals.add(number, lookup)
            else:
                yield keys[lookup.lookup_id], lookup.stored

    def _read(self, kind: Kind, fields: Fields | str) -> Lookup | RefusedRow:
        lookup = RefusedRow(fields) if isinstance(fields, str) else kind.read(fields, self._limits)
        if kind is VISITORS and isinstance(lookup, Lookup) and self._erasures.includes(lookup.lookup_id):
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="clickpulse load-lookups",
        description=_DESCRIPTION,
        epilog=f"{settings_help(LookupSettings)}\n\n"
        "Exit codes: 0 done, 1 failed or nothing loaded, 2 wrong option or setting.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--products", type=Path, metavar="FILE", help="products: productId (or id), category (or cat), title"
    )
    parser.add_argument(
        "--visitors",
        type=Path,
        metavar="FILE",
        help="visitors: userId (or id), gender (M, F, U), birthDate (or birthday; YYYY-MM-DD)",
    )
    parser.add_argument(
        "--prune", action="store_true", help="then delete the products (visitors) in Redis that are not in FILE"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
