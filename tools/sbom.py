"""Writes a CycloneDX bill of materials: `python -m tools.sbom [FILE]`, by default sbom.cdx.json."""

import sys
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot5
from packageurl import PackageURL

from tools.dependencies import OWN, Dependency, dependencies


def bill_of_materials(packages: list[Dependency]) -> str:
    """The packages with versions, licences and what needs what, as JSON. It depends on them alone."""
    components = {package.name: _component(package) for package in packages}
    bom = Bom(components=[component for name, component in components.items() if name != OWN])
    bom.metadata.component = components[OWN]
    for package in packages:
        bom.register_dependency(components[package.name], [components[name] for name in package.needs])
    return JsonV1Dot5(bom).output_as_string(indent=2)


def _component(package: Dependency) -> Component:
    return Component(
        type=ComponentType.APPLICATION if package.name == OWN else ComponentType.LIBRARY,
        name=package.name,
        version=package.version,
        bom_ref=f"{package.name}@{package.version}",
        purl=PackageURL(package.registry, name=package.name, version=package.version),
        licenses=[LicenseFactory().make_from_string(package.licence)],
    )


def main() -> None:
    """Write the file."""
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "sbom.cdx.json")
    path.write_text(bill_of_materials(dependencies()) + "\n", "utf-8")


if __name__ == "__main__":
    main()
