"""GOALS_FILE while aggregate runs: a change is reported, changes nothing, and never ends the process."""

from pathlib import Path

import pytest

from services.aggregate.goals_file import read_goals
from services.aggregate.goals_watch import PART, GoalsWatch
from shared.status.health import Health

GOAL = '[[goal]]\nname = "{0}"\nevent_type = "{0}"\n'


@pytest.fixture
def health() -> Health:
    return Health("aggregate")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "goals.toml"
    path.write_text(GOAL.format("purchase") + GOAL.format("sign-up"))
    return path


def test_a_changed_file_degrades_the_health_until_it_is_as_before(path: Path, health: Health) -> None:
    watch = GoalsWatch(path, read_goals(path), health)
    watch.look()
    assert health.troubles() == {}
    before = path.read_text()
    path.write_text(GOAL.format("purchase"))
    watch.look()
    trouble = health.troubles()[PART]
    assert not trouble.fails
    assert "GOALS_FILE has changed" in trouble.reason
    assert "until a restart" in trouble.reason
    path.write_text(before)
    watch.look()
    assert health.troubles() == {}


def test_a_comment_and_another_order_change_nothing(path: Path, health: Health) -> None:
    watch = GoalsWatch(path, read_goals(path), health)
    path.write_text("# ours\n" + GOAL.format("sign-up") + GOAL.format("purchase"))
    watch.look()
    assert health.troubles() == {}


@pytest.mark.parametrize(
    "content", [b"[[goal]\n", b"\xff", b"x" * 70_000, b"[" * 5_000, GOAL.format("x").encode() * 40]
)
def test_a_broken_file_is_reported_and_ends_nothing(path: Path, health: Health, content: bytes) -> None:
    watch = GoalsWatch(path, read_goals(path), health)
    path.write_bytes(content)
    watch.look()
    trouble = health.troubles()[PART]
    assert not trouble.fails
    assert "stay in force" in trouble.reason
    assert "GOALS_FILE" in trouble.reason


def test_a_file_that_is_gone_is_reported(path: Path, health: Health) -> None:
    watch = GoalsWatch(path, read_goals(path), health)
    path.unlink()
    watch.look()
    assert "cannot read" in health.troubles()[PART].reason


def test_without_a_file_nothing_is_watched(health: Health) -> None:
    with GoalsWatch(None, read_goals(None), health):
        assert health.troubles() == {}
