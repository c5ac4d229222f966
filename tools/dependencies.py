"""What Clickpulse installs on the images' Python: every package of every service, with its licence."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from services.dashboard.components.plot import PLOTLY_FILE

OWN: Final = "clickpulse"
_EVERYTHING: Final = frozenset({"demo", "history"})  # the extras that install every service
_IMAGE: Final = {  # the containers' Python
    "python_version": "3.11",
    "python_full_version": "3.11.14",
    "sys_platform": "linux",
    "platform_system": "Linux",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
}

_SPDX: Final[Mapping[str, str]] = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache License": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "Apache-2.0": "Apache-2.0",
    "BSD-2-Clause": "BSD-2-Clause",
    "BSD-3-Clause": "BSD-3-Clause",
    "MIT": "MIT",
    "MIT License": "MIT",
    "MPL-2.0": "MPL-2.0",
    "WTFPL": "WTFPL",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
"""What packages without a licence expression say, in SPDX's words."""
_READ: Final[Mapping[str, str]] = {
    "altair": "BSD-3-Clause",
    "itsdangerous": "BSD-3-Clause",
    "jinja2": "BSD-3-Clause",
    "jsonlines": "BSD-3-Clause",
}
"""Packages whose metadata say only "BSD"; the text of their licences says which."""


@dataclass(frozen=True, slots=True)
class Dependency:
    """An installed package. `licence` is an SPDX expression, empty when unknown."""

    name: str
    version: str
    licence: str
    needs: tuple[str, ...]
    registry: str = "pypi"


def vendored() -> Iterable[Dependency]:
    """What the repository holds of other people's work."""
    head = PLOTLY_FILE.read_text(encoding="utf-8")[:400]
    stated = re.search(r"plotly\.js \(cartesian - minified\) v(\S+)", head)
    assert stated is not None
    assert "Licensed under the MIT license" in head
    yield Dependency("plotly.js-cartesian-dist-min", stated[1], "MIT", (), "npm")


def dependencies() -> list[Dependency]:
    """All packages that a service may import or a page loads, ours first.

    Raises PackageNotFoundError for one that is missing.
    """
    wanted: dict[str, set[str]] = {}
    _collect(OWN, set(_EVERYTHING), wanted)
    installed = (
        Dependency(name, found.version, licence(found), tuple(sorted(set(_needs(found, extras)) - {name})))
        for name, extras in wanted.items()
        for found in [distribution(name)]
    )
    return sorted([*installed, *vendored()], key=lambda package: (package.name != OWN, package.name))


def licence(found: Distribution) -> str:
    """The SPDX expression of a package; empty when its metadata do not say."""
    metadata = found.metadata
    given = metadata.get_all("License-Expression") or []
    if given:
        return str(given[0])
    if known := _READ.get(canonicalize_name(found.name)):
        return known
    texts = [*(metadata.get_all("License") or []), *(metadata.get_all("Classifier") or [])]
    for text in texts:
        if known := _SPDX.get(str(text).rpartition(" :: ")[2].partition("\n")[0].strip()):
            return known
    return ""


def _collect(name: str, extras: set[str], wanted: dict[str, set[str]]) -> None:
    key = canonicalize_name(name)
    if key in wanted and extras <= wanted[key]:
        return
    wanted.setdefault(key, set()).update(extras)
    for requirement in _requirements(distribution(key), wanted[key]):
        _collect(requirement.name, set(requirement.extras), wanted)


def _needs(found: Distribution, extras: set[str]) -> list[str]:
    return [canonicalize_name(requirement.name) for requirement in _requirements(found, extras)]


def _requirements(found: Distribution, extras: set[str]) -> list[Requirement]:
    requirements = [Requirement(text) for text in found.requires or ()]
    return [
        requirement
        for requirement in requirements
        if requirement.marker is None
        or any(requirement.marker.evaluate({**_IMAGE, "extra": extra}) for extra in ("", *extras))
    ]
