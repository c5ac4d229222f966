"""The state of one partition in its database: blocks since the last checkpoint, the checkpoint, and the next offset.

Each write is one WriteBatch, so folded events and their offset are stored together or not at all. The write-ahead log
survives the death of the process. A power cut loses its unsynced tail as a whole, offset included, and its records are
read again from the log.

RocksDB notices a damaged block, but not always a file that is missing, cut or older than the others. So every write
stores a `_Position`, from which reading knows exactly which blocks and which parts of the checkpoint there must be.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import xxhash

from services.aggregate.state.database import Batch, Database, StateUnusable, StateUnwritable, write_batch
from shared.runtime.logs import get_logger

logger = get_logger(__name__)

_SCHEMA_KEY: Final = b"schema"
_ERASURES_KEY: Final = b"erasures"
_POSITION_KEY: Final = b"position"
_PARTS_KEY: Final = b"parts"
_BLOCK_PREFIX: Final = b"block/"
_BLOCKS_END: Final = b"block0"  # the first key after every block's, as "0" follows "/"
_CHECKPOINT_PREFIX: Final = b"checkpoint/"
_CHECKPOINT_END: Final = b"checkpoint0"  # the first key after every part of the checkpoint
_KEPT_ASIDE: Final = 3  # a disk that damages every state must not fill up with them
_checksum = xxhash.xxh3_64_intdigest


@dataclass(frozen=True, slots=True)
class SavedState:
    """What a partition's database holds."""

    checkpoint: Mapping[str, bytes]  # by part; empty before the first
    blocks: list[bytes]  # since the checkpoint, in order
    next_offset: int | None  # None until the first block
    loaded_from_ms: int  # records have been read without a gap since this append time
    topic_id: str = ""  # of the topic of `next_offset`; empty if unknown
    digest_key: bytes = b""  # of all digests in it, see `columns.digester`


class _Position(msgspec.Struct, array_like=True, frozen=True):
    """What the database holds after a write. Block numbers are never reused."""

    loaded_from_ms: int = 0
    topic_id: str = ""
    digest_key: bytes = b""
    next_offset: int | None = None
    first_block: int = 0
    next_block: int = 0
    parts_checksum: int = 0  # of the encoded checksums of the checkpoint's parts; 0 before the first


_encode = msgspec.msgpack.Encoder(order="sorted").encode
_decode_position = msgspec.msgpack.Decoder(_Position).decode
_decode_checksums = msgspec.msgpack.Decoder(dict[str, int]).decode


class Store:
    """The open database of one partition. Used by one thread."""

    def __init__(self, path: Path, schema: str) -> None:
        """Open or create the database. Raises StateUnusable, or StateUnwritable when the disk rejects writes."""
        self._path = path
        self._schema = schema.encode()
        self._position = _Position()
        self._checksums: dict[str, int] = {}  # by part of the checkpoint
        self._failed: _Position | None = None  # of a write that failed, and may have taken effect
        self._database = Database(path)
        try:
            self._check_schema()
        except (StateUnusable, StateUnwritable):
            self.close()
            raise

    def _check_schema(self) -> None:
        found = self._database.get(_SCHEMA_KEY)
        if found is None and any(True for _ in self._database.scan(b"", b"\xff")):
            raise StateUnusable("it holds data that is not ours")
        if found is not None and found != self._schema:
            raise StateUnusable(
                f"it is of schema {found.decode(errors='replace')}, this release keeps {self._schema.decode()}"
            )

    def begin(
        self, loaded_from_ms: int, topic_id: str = "", erasures: bytes | None = None, digest_key: bytes | None = None
    ) -> None:
        """Record the topic, and since which append time its records are read. Called first, and on changes.

        `erasures`: those that the state honours from now on. `digest_key`: of all digests in it. None leaves them.
        Raises StateUnwritable.
        """
        batch = write_batch()
        batch.put(_SCHEMA_KEY, self._schema)
        if erasures is not None:
            batch.put(_ERASURES_KEY, erasures)
        after = msgspec.structs.replace(self._position, loaded_from_ms=loaded_from_ms, topic_id=topic_id)
        if digest_key is not None:
            after = msgspec.structs.replace(after, digest_key=digest_key)
        self._write(batch, after)

    def read(self) -> SavedState | None:
        """Everything stored; None in a new database. Raises StateUnusable, or StateUnwritable as `Database.get`."""
        if self._database.get(_SCHEMA_KEY) is None:
            return None
        try:
            position = _decode_position(self._database.get(_POSITION_KEY) or b"")
            checkpoint, checksums = self._read_checkpoint(position)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise StateUnusable(f"it is damaged: {error}") from error
        blocks = list(self._scan(_BLOCK_PREFIX, _BLOCKS_END))
        expected = [_block_number(number) for number in range(position.first_block, position.next_block)]
        if [number for number, _ in blocks] != expected:
            raise StateUnusable(
                f"it is damaged: {len(blocks)} blocks do not match the {len(expected)} that were stored"
            )
        self._position, self._checksums = position, checksums
        return SavedState(
            checkpoint=checkpoint,
            blocks=[block for _, block in blocks],
            next_offset=position.next_offset,
            loaded_from_ms=position.loaded_from_ms,
            topic_id=position.topic_id,
            digest_key=position.digest_key,
        )

    def _read_checkpoint(self, position: _Position) -> tuple[dict[str, bytes], dict[str, int]]:
        """The parts of the checkpoint and their checksums. Raises StateUnusable and what decoding raises."""
        encoded = self._database.get(_PARTS_KEY) or b""
        if position.parts_checksum != (_checksum(encoded) if encoded else 0):
            raise StateUnusable("it is damaged: the checkpoint is not the one that was stored last")
        checksums = _decode_checksums(encoded) if encoded else {}
        parts = {key.decode(): part for key, part in self._scan(_CHECKPOINT_PREFIX, _CHECKPOINT_END)}
        found = {name: _checksum(part) for name, part in parts.items()}
        if found != checksums:
            names = sorted(name for name, _ in found.items() ^ checksums.items())
            raise StateUnusable(f"it is damaged: parts of the checkpoint differ from what was stored, first {names[0]}")
        return parts, checksums

    def erasures(self) -> bytes:
        """The erasures that the state honours; empty if none. Raises StateUnusable."""
        return self._database.get(_ERASURES_KEY) or b""

    def append(self, block: bytes, next_offset: int) -> None:
        """Store a micro-batch and the offset of the record after it. Raises StateUnwritable."""
        number = self._position.next_block
        batch = write_batch()
        batch.put(_BLOCK_PREFIX + _block_number(number), block)
        self._write(batch, msgspec.structs.replace(self._position, next_offset=next_offset, next_block=number + 1))

    def checkpoint(self, parts: Mapping[str, bytes], oldest: Mapping[str, str]) -> None:
        """Write parts of the checkpoint, and drop the blocks, which it must include. Raises StateUnwritable.

        Other parts stay, except those of each folder in `oldest` before the part named there.
        """
        batch = write_batch()
        checksums = self._checksums
        for folder, first in oldest.items():
            batch.delete_range(_CHECKPOINT_PREFIX + folder.encode(), _CHECKPOINT_PREFIX + first.encode())
            checksums = {name: own for name, own in checksums.items() if not folder <= name < first}
        batch.delete_range(_BLOCK_PREFIX, _BLOCKS_END)
        for name, part in parts.items():
            batch.put(_CHECKPOINT_PREFIX + name.encode(), part)
        checksums = checksums | {name: _checksum(part) for name, part in parts.items()}
        encoded = _encode(checksums)
        batch.put(_PARTS_KEY, encoded)
        after = msgspec.structs.replace(
            self._position, first_block=self._position.next_block, parts_checksum=_checksum(encoded)
        )
        self._write(batch, after)
        self._checksums = checksums

    def close(self) -> None:
        """Close the database and release its lock."""
        self._database.close()

    def _scan(self, prefix: bytes, end: bytes) -> list[tuple[bytes, bytes]]:
        return [(key.removeprefix(prefix), value) for key, value in self._database.scan(prefix, end)]

    def _write(self, batch: Batch, after: _Position) -> None:
        """Write a batch after which the database is at `after`. Raises StateUnwritable.

        Raises StateUnusable when the database turns out to be damaged; the next opening does so as well.
        """
        batch.put(_POSITION_KEY, _encode(after))
        try:
            if self._failed is not None:
                self._database.reopen()
                self._check_position(self._failed)
                self._failed = None
            self._database.write(batch)
        except StateUnwritable:
            self._failed = after
            raise
        except StateUnusable as error:
            logger.error("state damaged, the next start rebuilds it", path=str(self._path), reason=str(error))  # noqa: TRY400 - the caller raises it
            self._database.mark_damaged(str(error))
            raise
        self._position = after

    def _check_position(self, failed: _Position) -> None:
        """Check that a reopened database is where we left it. Raises StateUnusable."""
        found = self._database.get(_POSITION_KEY)
        if found not in (_encode(self._position), _encode(failed)) and not (
            found is None and self._position == _Position()
        ):
            raise StateUnusable("it lost writes that had succeeded")


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
    """Move a database out of the way and return its new path. Deletes all but the latest. Raises StateUnwritable."""
    aside = path.with_name(f"{path.name}.set-aside-{now_s}")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        path.rename(aside)
    except OSError as error:
        raise StateUnwritable(f"cannot set {path} aside: {error}") from error
    for older in sorted(path.parent.glob(f"{path.name}.set-aside-*"))[:-_KEPT_ASIDE]:
        shutil.rmtree(older, ignore_errors=True)
    return aside


def _block_number(number: int) -> bytes:
    return f"{number:016x}".encode()
