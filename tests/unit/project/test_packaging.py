"""The installed package: the wheel's contents and the console script."""

import importlib
from importlib.metadata import entry_points
from pathlib import Path
from zipfile import ZipFile

import pytest
from hatchling.builders.wheel import WheelBuilder

from services import cli

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def wheel_files(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    folder = tmp_path_factory.mktemp("wheel")
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    with ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.mark.parametrize("package", ["services", "shared"])
def test_the_wheel_contains_both_packages_with_their_types(package: str, wheel_files: set[str]) -> None:
    # Without `__init__.py`, a package of the same name elsewhere on the path would merge with ours.
    assert {f"{package}/__init__.py", f"{package}/py.typed"} <= wheel_files
    here = {path.relative_to(ROOT).as_posix() for path in (ROOT / package).rglob("*.py")}
    assert {name for name in wheel_files if name.startswith(f"{package}/") and name.endswith(".py")} == here


def test_the_wheel_contains_the_script_of_web_pages_and_its_types(wheel_files: set[str]) -> None:
    assert {f"services/collect/script/{name}" for name in ("s.js", "clickpulse.d.ts")} <= wheel_files


def test_every_package_folder_has_an_init(wheel_files: set[str]) -> None:
    folders = {Path(name).parent for name in wheel_files if name.endswith(".py")}
    assert {folder for folder in folders if f"{folder.as_posix()}/__init__.py" not in wheel_files} == set()


def test_the_wheel_adds_nothing_else_at_the_top_level(wheel_files: set[str]) -> None:
    top = {name.split("/")[0] for name in wheel_files}
    assert {name for name in top if not name.endswith(".dist-info")} == {"services", "shared"}


def test_installed_packages_are_ours() -> None:
    for package in ("services", "shared"):
        file = importlib.import_module(package).__file__
        assert file is not None
        assert Path(file).is_relative_to(ROOT)


def test_console_script_is_the_clickpulse_command() -> None:
    (script,) = entry_points(group="console_scripts", name="clickpulse")
    assert script.load() is cli.main
