"""CPU, memory and disk of a process."""

import mmap
from pathlib import Path

from shared.status.resources import CpuMeter, disk_bytes, resident_bytes


def test_cpu_is_the_share_of_a_core_since_the_last_call() -> None:
    readings = iter([0.0, 0.5, 0.5, 4.5])
    times = iter([10.0, 12.0, 13.0, 15.0])
    meter = CpuMeter(lambda: next(readings), lambda: next(times))
    assert [meter.share() for _ in range(3)] == [0.25, 0, 2]  # two threads are busy at the end


def test_memory_is_current() -> None:
    before = resident_bytes()
    with mmap.mmap(-1, 50_000_000) as ballast:  # not from the heap, which may have as much that is free
        for page in range(0, len(ballast), mmap.PAGESIZE):
            ballast[page] = 1
        assert 45_000_000 < resident_bytes() - before < 80_000_000


def test_size_of_a_folder_is_that_of_its_files(tmp_path: Path) -> None:
    assert disk_bytes(tmp_path / "missing") == 0
    (tmp_path / "a").write_bytes(b"x" * 1000)
    (tmp_path / "b").write_bytes(b"x" * 24)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "c").write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert disk_bytes(tmp_path) == 1024
    assert disk_bytes(tmp_path / "a") == 0
