"""Opens recordings as byte streams of UTF-8: plain, gzip, bz2, xz, zstd or a zip, detected by content.

`-` is standard input.
"""

import bz2
import gzip
import io
import lzma
import os
import select
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import IO, BinaryIO, Final, cast

from backports.zstd import ZstdError, ZstdFile

from services.traffic.formats.entries import UnusableRecording
from services.traffic.transcoding import as_utf8

STANDARD_INPUT: Final = "-"
_BUFFER_BYTES: Final = 1 << 20
_GZIP: Final = b"\x1f\x8b"
_BZ2: Final = b"BZh"
_ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06")
_XZ: Final = b"\xfd7zXZ\x00"
_ZSTD: Final = (b"\x28\xb5\x2f\xfd", b"\x50\x2a\x4d\x18")  # the second is how pzstd begins
_UNSUPPORTED: Final = {
    b"\x04\x22\x4d\x18": "lz4 -dc",
    b"\x5d\x00\x00": "xz --format=lzma -dc",
    b"\x1f\x9d": "uncompress -c",
    b"7z\xbc\xaf\x27\x1c": "7z x -so",
}
_TAR: Final = b"ustar"
_TAR_PLACE: Final = 257
_NO_TEXT: Final = {
    b"PAR1": "a Parquet",
    b"Obj\x01": "an Avro",
    b"ORC\x00": "an ORC",
    b"SQLite format 3\x00": "an SQLite",
    b"\xd0\xcf\x11\xe0": "an Excel",
    b"%PDF-": "a PDF",
}
# What decompressors raise besides OSError for truncated or corrupt bytes.
_DAMAGE: Final = (EOFError, zlib.error, zipfile.BadZipFile, lzma.LZMAError, ZstdError)
_IDLE_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class OpenRecording:
    """An opened recording. `position` counts the bytes read from the file; `size` is None for a pipe."""

    stream: io.BufferedReader
    size: int | None
    position: Callable[[], int]


@contextmanager
def open_recording(path: str, wait: "PipeWait") -> Iterator[OpenRecording]:
    """Open FILE of the command line. Raises UnusableRecording when it cannot be read at all."""
    with ExitStack() as stack:
        source = stack.enter_context(_open_source(path, wait))
        head = source.peek(8)[:8]
        size = _regular_size(source)
        if head.startswith(_ZIP) and size is None:
            source = stack.enter_context(_spooled(source))  # a zip's index is at its end
        unpacked = stack.enter_context(_decompressed(source, head))
        if unpacked is not source and (head := _head(unpacked)).startswith(_GZIP):  # twice, as some servers do
            unpacked = stack.enter_context(_decompressed(unpacked, head))
        _refuse_other_files(_head(unpacked))
        yield OpenRecording(stack.enter_context(as_utf8(unpacked)), size, source.tell)


def _head(stream: io.BufferedReader) -> bytes:
    try:
        return stream.peek(_TAR_PLACE + len(_TAR))
    except OSError:
        return b""  # damaged, which whoever reads it finds out again


def _refuse_other_files(head: bytes) -> None:
    """Raise UnusableRecording for a file that is no text, by its first bytes."""
    if head[_TAR_PLACE:].startswith(_TAR):
        raise UnusableRecording("a tar archive; use: tar -xOf FILE | clickpulse replay -")
    for magic, kind in _NO_TEXT.items():
        if head.startswith(magic):
            raise UnusableRecording(f"{kind} file is no text; export it as CSV or as one JSON object per line")


def is_repeatable(path: str) -> bool:
    """Whether the recording can be read more than once: a regular file, not a pipe."""
    return path != STANDARD_INPUT and Path(path).is_file()


class PipeWait:
    """How to wait for a pipe: until `stop`, calling `on_idle` while nothing arrives."""

    def __init__(self, stop: Event, on_idle: Callable[[], None] = lambda: None) -> None:
        self.stop = stop
        self.on_idle = on_idle


class _InterruptiblePipe(io.RawIOBase):
    """A pipe that ends on `stop`; a blocking read would wait for the next byte."""

    def __init__(self, descriptor: int, wait: PipeWait) -> None:
        self._descriptor = descriptor
        self._wait = wait
        self._read = 0

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._read

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast(bytearray, buffer))
        while not select.select([self._descriptor], [], [], _IDLE_SECONDS)[0]:
            if self._wait.stop.is_set():
                return 0
            self._wait.on_idle()
        got = os.read(self._descriptor, len(view))
        view[: len(got)] = got
        self._read += len(got)
        return len(got)


class _Unpacked(io.RawIOBase):
    """A decompressor as a raw stream, so that a BufferedReader above it provides readline in C.

    Uses `read1`, one piece at a time: `read` would discard the good bytes before damaged ones, which raise OSError.
    """

    def __init__(self, unpacked: IO[bytes]) -> None:
        self._read1 = cast(io.BufferedIOBase, unpacked).read1

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast(bytearray, buffer))
        try:
            piece = self._read1(len(view))
        except _DAMAGE as error:
            raise OSError(str(error)) from error
        view[: len(piece)] = piece
        return len(piece)


@contextmanager
def _open_source(path: str, wait: PipeWait) -> Iterator[io.BufferedReader]:
    if path == STANDARD_INPUT:
        yield io.BufferedReader(_InterruptiblePipe(0, wait), _BUFFER_BYTES)
        return
    try:
        raw = Path(path).open("rb", buffering=0)  # noqa: SIM115 - closed by the `with` below
    except OSError as error:
        raise UnusableRecording(f"cannot open FILE {path}: {error.strerror}") from None
    with raw:
        is_pipe = not Path(path).is_file()
        yield io.BufferedReader(_InterruptiblePipe(raw.fileno(), wait) if is_pipe else raw, _BUFFER_BYTES)


def _regular_size(source: io.BufferedReader) -> int | None:
    return None if isinstance(source.raw, _InterruptiblePipe) else os.fstat(source.fileno()).st_size


@contextmanager
def _spooled(source: io.BufferedReader) -> Iterator[io.BufferedReader]:
    with tempfile.TemporaryFile() as spool:
        shutil.copyfileobj(source, spool, _BUFFER_BYTES)
        spool.seek(0)
        yield cast(io.BufferedReader, spool)


@contextmanager
def _decompressed(source: io.BufferedReader, head: bytes) -> Iterator[io.BufferedReader]:
    with ExitStack() as stack:
        for magic, command in _UNSUPPORTED.items():
            if head.startswith(magic):
                raise UnusableRecording(f"unsupported compression; use: {command} FILE | clickpulse replay -")
        unpacked: IO[bytes]
        if head.startswith(_GZIP):
            unpacked = cast(IO[bytes], stack.enter_context(gzip.GzipFile(fileobj=source)))
        elif head.startswith(_BZ2):
            unpacked = stack.enter_context(bz2.BZ2File(source))
        elif head.startswith(_XZ):
            unpacked = stack.enter_context(lzma.LZMAFile(source))
        elif head.startswith(_ZSTD):
            unpacked = cast(IO[bytes], stack.enter_context(ZstdFile(source)))
        elif head.startswith(_ZIP):
            unpacked = stack.enter_context(_open_member(stack.enter_context(_open_zip(source))))
        else:
            yield source
            return
        yield stack.enter_context(io.BufferedReader(_Unpacked(unpacked), _BUFFER_BYTES))


def _open_zip(source: BinaryIO) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(source)
    except zipfile.BadZipFile as error:
        raise UnusableRecording(f"cannot read the zip archive: {error}") from None


def _open_member(archive: zipfile.ZipFile) -> IO[bytes]:
    files = [info for info in archive.infolist() if not info.is_dir() and not info.filename.startswith("__MACOSX/")]
    if any(info.filename == "[Content_Types].xml" for info in files):
        raise UnusableRecording("an Excel file is no text; export it as CSV")
    if len(files) != 1:
        raise UnusableRecording(f"expected one file in the zip archive, got {len(files)}; unzip it and name the file")
    try:
        return archive.open(files[0])
    except (RuntimeError, NotImplementedError) as error:
        raise UnusableRecording(f"cannot read the zip archive: {error}") from None
