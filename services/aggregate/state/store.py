"""The RocksDB database of one partition: blocks since the last checkpoint, the checkpoint, and the next offset.

Each write is one WriteBatch, so folded events and their offset are stored together or not at all. The write-ahead log
survives the death of the process. A power cut loses its unsynced tail as a whole, offset included, and its records are
read again from the log.
"""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rocksdict import BlockBasedOptions, DbClosedError, DBCompressionType, Options, Rdict, WriteBatch

_SCHEMA_KEY: Final = b"schema"
_NEXT_OFFSET_KEY: Final = b"next_offset"
_LOADED_FROM_KEY: Final = b"loaded_from_ms"
_TOPIC_ID_KEY: Final = b"topic_id"
_ERASURES_KEY: Final = b"erasures"
_BLOCK_PREFIX: Final = b"block/"
_BLOCKS_END: Final = b"block0"  # the first key after every block's, as "0" follows "/"
_CHECKPOINT_PREFIX: Final = b"checkpoint/"
_CHECKPOINT_END: Final = b"checkpoint0"  # the first key after every part of the checkpoint


class StateUnusable(Exception):  # noqa: N818 - a state of the data
    """The database is corrupt, of another schema or not ours; it must be set aside."""


class StateUnwritable(Exception):  # noqa: N818 - a condition of the disk
    """The write did not take effect, for a reason such as a full disk. It can be retried."""


@dataclass(frozen=True, slots=True)
class SavedState:
    """What a partition's database holds."""

    checkpoint: Mapping[str, bytes]  # by part; empty before the first
    blocks: list[bytes]  # since the checkpoint, in order
    next_offset: int | None  # None until the first block
    loaded_from_ms: int  # records have been read without a gap since this append time
    topic_id: str = ""  # of the topic of `next_offset`; empty if unknown


class Store:
    """The open database of one partition. Used by one thread."""

    def __init__(self, path: Path, schema: str) -> None:
        """Open or create the database. Raises StateUnusable, or StateUnwritable when the disk rejects writes."""
        self._path = path
        self._schema = schema.encode()
        self._database = _open(path)
        self._next_block = 0
        self._must_reopen = False
        found = self._database.get(_SCHEMA_KEY)
        if found is None and any(True for _ in self._database.keys()):  # noqa: SIM118 - Rdict is not a Mapping
            self.close()
            raise StateUnusable("it holds data that is not ours")
        if found is not None and found != self._schema:
            self.close()
            raise StateUnusable(f"it is of schema {found.decode(errors='replace')}, this release keeps {schema}")

    def begin(self, loaded_from_ms: int, topic_id: str = "", erasures: bytes | None = None) -> None:
        """Record the topic, and since which append time its records are read. Called first, and on changes.

        `erasures`: those that the state honours from now on; None leaves them. Raises StateUnwritable.
        """
        batch = _write_batch()
        batch.put(_SCHEMA_KEY, self._schema)
        batch.put(_LOADED_FROM_KEY, str(loaded_from_ms).encode())
        batch.put(_TOPIC_ID_KEY, topic_id.encode())
        if erasures is not None:
            batch.put(_ERASURES_KEY, erasures)
        self._write(batch)

    def read(self) -> SavedState | None:
        """Everything stored; None in a new database. Raises StateUnusable."""
        try:
            if self._database.get(_SCHEMA_KEY) is None:
                return None
            checkpoint = {key.decode(): part for key, part in self._scan(_CHECKPOINT_PREFIX, _CHECKPOINT_END)}
            blocks = list(self._scan(_BLOCK_PREFIX, _BLOCKS_END))
            self._next_block = int(blocks[-1][0], 16) + 1 if blocks else 0
            next_offset = self._database.get(_NEXT_OFFSET_KEY)
            loaded_from_ms = int(self._database.get(_LOADED_FROM_KEY) or b"")
            topic_id = (self._database.get(_TOPIC_ID_KEY) or b"").decode()
        except Exception as error:  # rocksdict raises nothing narrower for a corrupt table
            raise StateUnusable(str(error)) from error
        return SavedState(
            checkpoint=checkpoint,
            blocks=[block for _, block in blocks],
            next_offset=None if next_offset is None else int(next_offset),
            loaded_from_ms=loaded_from_ms,
            topic_id=topic_id,
        )

    def erasures(self) -> bytes:
        """The erasures that the state honours; empty if none. Raises StateUnusable."""
        try:
            return self._database.get(_ERASURES_KEY) or b""
        except Exception as error:  # as in `read`
            raise StateUnusable(str(error)) from error

    def append(self, block: bytes, next_offset: int) -> None:
        """Store a micro-batch and the offset of the record after it. Raises StateUnwritable."""
        batch = _write_batch()
        batch.put(_BLOCK_PREFIX + f"{self._next_block:016x}".encode(), block)
        batch.put(_NEXT_OFFSET_KEY, str(next_offset).encode())
        self._write(batch)
        self._next_block += 1

    def checkpoint(self, parts: Mapping[str, bytes], oldest: Mapping[str, str]) -> None:
        """Write parts of the checkpoint, and drop the blocks, which it must include. Raises StateUnwritable.

        Other parts stay, except those of each folder in `oldest` before the part named there.
        """
        batch = _write_batch()
        for folder, first in oldest.items():
            batch.delete_range(_CHECKPOINT_PREFIX + folder.encode(), _CHECKPOINT_PREFIX + first.encode())
        batch.delete_range(_BLOCK_PREFIX, _BLOCKS_END)
        for name, part in parts.items():
            batch.put(_CHECKPOINT_PREFIX + name.encode(), part)
        self._write(batch)

    def close(self) -> None:
        """Close the database and release its lock."""
        with suppress(DbClosedError):
            self._database.close()

    def _scan(self, prefix: bytes, end: bytes) -> Iterator[tuple[bytes, bytes]]:
        for key, value in self._database.items(from_key=prefix):
            assert isinstance(key, bytes)  # raw mode
            if key >= end:
                break
            yield key.removeprefix(prefix), value

    def _write(self, batch: WriteBatch) -> None:
        try:
            if self._must_reopen:
                # After a failed write RocksDB rejects all others until it is reopened.
                with suppress(DbClosedError):
                    self._database.close()
                self._database = _open(self._path)
                self._must_reopen = False
            self._database.write(batch)
        except Exception as error:
            self._must_reopen = True
            raise StateUnwritable(str(error)) from error


def delete(path: Path) -> None:
    """Delete what was set aside of a database, then the database. Raises OSError.

    Killed in between, it is called again, or `finish_deletion` is enough.
    """
    for remains in path.parent.glob(f"{path.name}.*"):
        shutil.rmtree(remains)
    if path.exists():
        path.rename(_deleted(path))  # so that no half of a database is ever opened, or set aside
        finish_deletion(path)


def finish_deletion(path: Path) -> None:
    """Finish a deletion that was killed. Raises OSError."""
    if _deleted(path).exists():
        shutil.rmtree(_deleted(path))


def _deleted(path: Path) -> Path:
    return path.with_name(f"{path.name}.deleted")


def set_aside(path: Path, now_s: int) -> Path:
    """Move a database out of the way and return its new path."""
    aside = path.with_name(f"{path.name}.set-aside-{now_s}")
    shutil.rmtree(aside, ignore_errors=True)
    path.rename(aside)
    return aside


def _open(path: Path) -> Rdict:
    path.mkdir(parents=True, exist_ok=True)
    try:
        return Rdict(str(path), options=_options())
    except Exception as error:
        message = str(error)
        if "No space left" in message or "LOCK" in message or "lock" in message:
            raise StateUnwritable(message) from error
        raise StateUnusable(message) from error


def _write_batch() -> WriteBatch:
    return WriteBatch(raw_mode=True)


def _options() -> Options:
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    # Blocks live for a minute. One that is deleted before the buffer is flushed never reaches a table file.
    options.set_write_buffer_size(32 * 1024 * 1024)
    options.set_max_write_buffer_number(2)
    options.set_max_total_wal_size(128 * 1024 * 1024)
    # Values are few, large and read once, at opening: strong compression costs almost nothing, and a block cache would
    # duplicate what is in memory anyway.
    options.set_compression_type(DBCompressionType.zstd())
    table = BlockBasedOptions()
    table.disable_cache()
    options.set_block_based_table_factory(table)
    options.set_keep_log_file_num(2)
    options.set_max_log_file_size(1024 * 1024)
    return options
