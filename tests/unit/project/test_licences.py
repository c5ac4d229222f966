"""Every package has an allowed licence, is listed in docs/licences.md, and is in the bill of materials."""

import json
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tools.dependencies import OWN, Dependency, dependencies, vendored
from tools.licences import DOCUMENT, document, refused
from tools.sbom import bill_of_materials

LOCK = Path(__file__).parents[3] / "uv.lock"

pytestmark = pytest.mark.skipif(
    sys.version_info[:2] != (3, 11) or sys.platform != "linux", reason="lists what the images' Python installs"
)


def test_every_package_has_an_allowed_licence() -> None:
    assert refused(dependencies()) == []


def test_the_document_is_up_to_date() -> None:
    assert DOCUMENT.read_text("utf-8") == document(dependencies()), "run make docs"


@pytest.mark.parametrize(
    ("licence", "is_refused"),
    [
        ("", True),
        ("GPL-3.0-only", True),
        ("MIT AND GPL-3.0-only", True),
        ("MIT OR GPL-3.0-only", False),
        ("MPL-2.0 AND (Apache-2.0 OR GPL-2.0-only)", False),
        ("(MIT", True),
        ("MIT)", True),
        ("MIT GPL-3.0-only", True),
        ("MIT AND", True),
    ],
)
def test_unknown_and_forbidden_licences_are_refused(licence: str, is_refused: bool) -> None:
    assert bool(refused([Dependency("package", "1", licence, ())])) is is_refused


def test_the_bill_of_materials_is_valid_and_complete() -> None:
    written = bill_of_materials(dependencies())
    assert JsonStrictValidator(SchemaVersion.V1_5).validate_str(written) is None
    bill = json.loads(written)
    copies = {package.name: package.version for package in vendored()}
    found = {component["name"]: component["version"] for component in bill["components"]}
    assert found.items() >= copies.items()
    found = {name: version for name, version in found.items() if name not in copies}
    assert found == {
        package.name: version(package.name) for package in dependencies()[1:] if package.name not in copies
    }
    assert all(component["licenses"] for component in bill["components"])
    # The lock knows the same packages: what it needs and the bill lacks is for other systems or for development.
    locked = {package["name"]: package for package in tomllib.loads(LOCK.read_text())["package"]}
    assert found.keys() <= locked.keys()
    ours = {need["name"] for needs in locked[OWN]["optional-dependencies"].values() for need in needs}
    assert ours | {need["name"] for need in locked[OWN]["dependencies"]} <= found.keys() | {OWN}
    assert {entry["ref"] for entry in bill["dependencies"]} >= {f"{name}@{found[name]}" for name in found}
