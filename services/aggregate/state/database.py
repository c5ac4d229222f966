"""A RocksDB database that one process owns, and what its failures mean.

RocksDB reports everything as text, in which file names and damaged bytes occur. So whether another process holds the
database is asked of its lock, and only the system's error at the end of a text is read.
"""

import errno
import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from rocksdict import BlockBasedOptions, DbClosedError, DBCompressionType, DBRecoveryMode, Options, Rdict, WriteBatch

Batch = WriteBatch
"""Writes that take effect together, in their order."""

_DAMAGED: Final = "DAMAGED"
"""File with the damage that was found while the database was in use, which opening it again might not find."""
_CORRUPT: Final = "Corruption:"
_IO_ERROR: Final = "IO error:"
_PASSING: Final = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
    errno.EIO,
    errno.EAGAIN,
    errno.EBUSY,
    errno.ENOLCK,
    errno.ESTALE,
    errno.ETIMEDOUT,
)
"""Conditions of the disk and the process. They say nothing about the data."""
_PASSING_TEXTS: Final = tuple(map(os.strerror, _PASSING))  # end an IO error of RocksDB
_OS_ERROR: Final = re.compile(r"\(os error (\d+)\)$")  # ends that of a file which rocksdict itself writes


class StateUnusable(Exception):  # noqa: N818 - a state of the data
    """The database is damaged, of another schema or not ours; it must be set aside."""


class StateUnwritable(Exception):  # noqa: N818 - a condition of the disk
    """A write did not take effect, or a read got no answer, for a reason such as a full disk. It can be retried."""


class Database:
    """An open database. Keys and values are bytes. Used by one thread."""

    def __init__(self, path: Path) -> None:
        """Open or create it. Raises StateUnusable, or StateUnwritable while the disk or another process prevents it."""
        self._path = path
        self._folder = _lock(path)
        try:
            self._database = _open(path)
        except BaseException:
            os.close(self._folder)
            raise

    def reopen(self) -> None:
        """Open it again after a failed write: RocksDB rejects all others until then. Raises as opening it does."""
        self._close_files()
        self._database = _open(self._path)

    def get(self, key: bytes) -> bytes | None:
        """The value of a key. Raises StateUnusable, or StateUnwritable while the disk or the process prevents it."""
        try:
            value: bytes | None = self._database.get(key)
        except Exception as error:  # rocksdict raises nothing narrower
            raise _failure(error) from error
        return value

    def scan(self, first: bytes, end: bytes) -> Iterator[tuple[bytes, bytes]]:
        """The entries from key `first` up to but without `end`, in order. Raises as `get` does."""
        try:
            for key, value in self._database.items(from_key=first):
                if key >= end:  # type: ignore[operator] # bytes, in raw mode
                    break
                yield key, value  # type: ignore[misc] # the same
        except Exception as error:
            raise _failure(error) from error

    def write(self, batch: Batch) -> None:
        """Write a batch as a whole. Raises StateUnwritable, or StateUnusable when RocksDB finds damaged files."""
        try:
            self._database.write(batch)
        except Exception as error:
            message = str(error)
            raise (StateUnusable if message.startswith(_CORRUPT) else StateUnwritable)(message) from error

    def mark_damaged(self, reason: str) -> None:
        """Make the next opening raise StateUnusable."""
        with suppress(OSError):  # then the next opening has to find the damage itself
            (self._path / _DAMAGED).write_text(reason)

    def close(self) -> None:
        """Close it and release its locks."""
        self._close_files()
        with suppress(OSError):  # closed before
            os.close(self._folder)
            self._folder = -1

    def _close_files(self) -> None:
        try:
            self._database.close()
        except DbClosedError:
            pass
        except Exception as error:  # noqa: BLE001 - what was written is in the write-ahead log nevertheless
            if str(error).startswith(_CORRUPT):
                self.mark_damaged(str(error))


def write_batch() -> Batch:
    """An empty batch."""
    return WriteBatch(raw_mode=True)


def _lock(path: Path) -> int:
    """Lock the folder, creating it if it is missing. Returns its file descriptor, which holds the lock.

    RocksDB has a lock as well, which must not be probed in the process that holds it: closing the file would release
    it. With the folder locked, no other database of this process has it open.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except (FileExistsError, NotADirectoryError) as error:
        raise StateUnusable(f"{path} is not a folder") from error
    except OSError as error:
        raise StateUnwritable(str(error)) from error
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(folder)
        raise StateUnwritable(f"cannot lock {path}, another process may have it open: {error}") from error
    return folder


def _open(path: Path) -> Rdict:
    damaged = path / _DAMAGED
    if damaged.exists():
        raise StateUnusable(damaged.read_text(errors="replace") or "damage was found while it was in use")
    if not (path / "CURRENT").exists() and any(file.suffix in (".sst", ".log") for file in path.iterdir()):
        raise StateUnusable("the file CURRENT is missing")  # RocksDB would delete all data and start an empty database
    try:
        return Rdict(str(path), options=_options())
    except Exception as error:
        message = str(error)
        if _is_passing(message) or _is_held_by_another_process(path / "LOCK"):
            raise StateUnwritable(message) from error
        raise StateUnusable(message) from error


def _failure(error: Exception) -> StateUnusable | StateUnwritable:
    """What a failed read means: nothing of the data where only a file, memory or the disk was missing for it."""
    is_passing = isinstance(error, MemoryError) or _is_passing(str(error))
    return (StateUnwritable if is_passing else StateUnusable)(str(error) or "out of memory")


def _is_passing(message: str) -> bool:
    number = _OS_ERROR.search(message)
    if number is not None:
        return int(number[1]) in _PASSING
    return message.startswith(_IO_ERROR) and message.endswith(_PASSING_TEXTS)


def _is_held_by_another_process(lock: Path) -> bool:
    """Whether another process has locked this file as RocksDB does. Releases a lock of this process."""
    with suppress(FileNotFoundError), lock.open("r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):  # POSIX allows either
            return True
    return False


def _options() -> Options:
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    # After a power cut or damage to the write-ahead log: the writes before it, together with their offset.
    options.set_wal_recovery_mode(DBRecoveryMode.point_in_time())
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
