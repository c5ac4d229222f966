"""Recordings in every packing, from files and pipes."""

import bz2
import gzip
import io
import lzma
import os
import tarfile
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from threading import Event

import pytest
from backports import zstd

from services.traffic.formats.entries import UnusableRecording
from services.traffic.formats.lines import DamagedRecording, Line, read_lines
from services.traffic.opening import PipeWait, is_repeatable, open_recording

LINES = b"".join(b"line %d\n" % number for number in range(5000))


def zipped(*names: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, b"" if name.endswith("/") else LINES)
    return packed.getvalue()


def tarred() -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("access.log"))
    return packed.getvalue()


PACKED = {
    "plain": LINES,
    "gzip": gzip.compress(LINES),
    "gzip in two parts": gzip.compress(LINES[:1000]) + gzip.compress(LINES[1000:]),
    "gzip twice": gzip.compress(gzip.compress(LINES)),
    "bz2": bz2.compress(LINES),
    "xz": lzma.compress(LINES),
    "zstd": zstd.compress(LINES),
    "zstd in two parts": zstd.compress(LINES[:1000]) + zstd.compress(LINES[1000:]),
    "zstd of pzstd": b"\x50\x2a\x4d\x18\x04\0\0\0size" + zstd.compress(LINES),
    "zip": zipped("logs/", "logs/access.log", "__MACOSX/logs/._access.log"),
}


@pytest.fixture
def wait() -> PipeWait:
    return PipeWait(Event())


@pytest.mark.parametrize("packing", PACKED)
def test_packing_is_detected_by_content(packing: str, tmp_path: Path, wait: PipeWait) -> None:
    path = tmp_path / "recording.txt"
    path.write_bytes(PACKED[packing])
    with open_recording(str(path), wait) as recording:
        assert recording.stream.read() == LINES
        assert recording.size == len(PACKED[packing])
        assert 0 < recording.position() <= recording.size
    assert is_repeatable(str(path))


@pytest.mark.parametrize("packing", PACKED)
def test_a_pipe_is_read_like_a_file(packing: str, tmp_path: Path, wait: PipeWait) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(PACKED[packing],))
    writer.start()
    with open_recording(str(pipe), wait) as recording:
        assert recording.size is None
        assert recording.stream.read() == LINES
    writer.join()
    assert not is_repeatable(str(pipe))


def test_a_silent_pipe_ends_on_stop_and_calls_on_idle_meanwhile() -> None:
    reading, writing = os.pipe()
    stop = Event()
    idle: list[int] = []

    def on_idle() -> None:
        idle.append(1)
        if len(idle) == 2:
            stop.set()

    os.write(writing, b"first\nsec")
    with open_recording(f"/dev/fd/{reading}", PipeWait(stop, on_idle)) as recording:
        assert list(read_lines(recording.stream)) == [(1, b"first"), (2, b"sec")]
    assert len(idle) == 2
    os.close(reading)
    os.close(writing)


# By name, because a gzip header holds the time: as a test's id it would differ between pytest-xdist's workers.
UNREADABLE = {
    "lz4": (b"\x04\x22\x4d\x180000", "lz4 -dc FILE"),
    "zip of two files": (zipped("a.log", "b.log"), "expected one file in the zip archive, got 2"),
    "zip cut short": (zipped("a.log")[:-30], "cannot read the zip archive"),
    "Excel": (zipped("[Content_Types].xml", "xl/workbook.xml"), "an Excel file"),
    "Parquet": (b"PAR1\x15\x04", "a Parquet file"),
    "tar": (gzip.compress(tarred()), "a tar archive; use: tar -xOf FILE"),
}


@pytest.mark.parametrize(("content", "complaint"), UNREADABLE.values(), ids=UNREADABLE)
def test_an_unreadable_packing_is_reported(content: bytes, complaint: str, tmp_path: Path, wait: PipeWait) -> None:
    path = tmp_path / "recording"
    path.write_bytes(content)
    with pytest.raises(UnusableRecording, match=complaint), open_recording(str(path), wait):
        pass


def test_a_folder_is_not_a_recording(tmp_path: Path, wait: PipeWait) -> None:
    with pytest.raises(UnusableRecording, match="directory"), open_recording(str(tmp_path), wait):
        pass


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_wide_text_is_read_as_utf8(
    encoding: str, pack: Callable[[bytes], bytes], tmp_path: Path, wait: PipeWait
) -> None:
    text = "timestamp;userId\r\n" + "1;Zoë 🙂\r\n" * 20_000  # more than one buffer
    path = tmp_path / "recording.csv"
    path.write_bytes(pack(text.encode(encoding)))
    with open_recording(str(path), wait) as recording:
        assert recording.stream.read() == text.encode()


def test_text_cut_within_a_character_loses_only_that_character(tmp_path: Path, wait: PipeWait) -> None:
    path = tmp_path / "recording.csv"
    path.write_bytes("abcd\n🙂".encode("utf-16")[:-1])
    with open_recording(str(path), wait) as recording:
        assert recording.stream.read() == "abcd\n\ufffd".encode()


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, zstd.compress])
def test_a_truncated_file_is_damaged(pack: Callable[[bytes], bytes], tmp_path: Path, wait: PipeWait) -> None:
    path = tmp_path / "recording"
    noise = Random(1).randbytes(1_000_000).hex(" ", 20).replace(" ", "\n").encode()  # more than one block
    path.write_bytes(pack(noise)[:-20])
    with open_recording(str(path), wait) as recording:
        lines = read_lines(recording.stream)
        good: list[Line] = []
        with pytest.raises(DamagedRecording, match="damaged after line"):
            good.extend(lines)
    assert len(good) > 40_000  # of 50,000; bz2 has blocks of 900 kB
