"""The demo's folder: one demo at a time, and foreign files stay untouched."""

from pathlib import Path

import pytest

from services.demo.state_dir import AlreadyRunning, Unusable, claim


def test_a_new_folder_gets_its_subfolders_and_keeps_them(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / ".clickpulse"
    with claim(folder, fresh=False) as state_dir:
        (state_dir.redis / "appendonly.aof").write_text("data")
    with claim(folder, fresh=False) as state_dir:
        assert (state_dir.redis / "appendonly.aof").read_text() == "data"
        assert state_dir.logs.is_dir()


def test_fresh_clears_the_data(tmp_path: Path) -> None:
    with claim(tmp_path, fresh=False) as state_dir:
        (state_dir.state / "0").mkdir()
        (state_dir.state / "0" / "CURRENT").write_text("data")
        (state_dir.path / "stray").write_text("ours too")
    with claim(tmp_path, fresh=True) as state_dir:
        assert list(state_dir.state.iterdir()) == []
        assert not (state_dir.path / "stray").exists()


def test_fresh_does_not_follow_symlinks(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "keep").write_text("kept")
    with claim(tmp_path / "ours", fresh=False) as state_dir:
        state_dir.state.rmdir()
        state_dir.state.symlink_to(elsewhere)
    with claim(tmp_path / "ours", fresh=True):
        assert (elsewhere / "keep").read_text() == "kept"


@pytest.mark.parametrize("fresh", [True, False])
def test_a_folder_with_foreign_files_is_refused_untouched(tmp_path: Path, fresh: bool) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(Unusable, match="nothing in it was touched"), claim(tmp_path, fresh=fresh):
        pass
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_instead_of_a_folder_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "state"
    file.write_text("a file")
    with pytest.raises(Unusable, match="cannot be used"), claim(file, fresh=True):
        pass
    assert file.read_text() == "a file"


def test_a_second_demo_is_refused_and_clears_nothing(tmp_path: Path) -> None:
    with claim(tmp_path, fresh=False) as state_dir:
        (state_dir.redis / "data").write_text("in use")
        with pytest.raises(AlreadyRunning, match="already runs in"), claim(tmp_path, fresh=True):
            pass
        assert (state_dir.redis / "data").read_text() == "in use"
    with claim(tmp_path, fresh=False):
        pass
