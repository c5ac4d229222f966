"""Writes docs/licences.md: the licence of each package that Clickpulse installs. `python -m tools.licences`."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tools.dependencies import OWN, Dependency, dependencies

DOCUMENT: Final = Path(__file__).parents[1] / "docs" / "licences.md"

ALLOWED: Final = frozenset(
    {
        "0BSD",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "CC0-1.0",
        "CNRI-Python",
        "ISC",
        "LGPL-2.1-only",  # imported unmodified, and replaceable
        "LGPL-3.0-only",  # the same
        "MIT",
        "MIT-0",
        "MIT-CMU",
        "MPL-2.0",  # used unmodified
        "PSF-2.0",
        "WTFPL",  # no condition at all
        "Zlib",
    }
)
"""Licences under which a shop may run and pass on Clickpulse. Add one only after reading it."""

_HEAD: Final = """\
# Licences

Clickpulse is under the [Apache License 2.0](../LICENSE). Its services use the packages below, on the Python of the
images; each image holds only what its service needs. `make docs` writes this table. The tests refuse a package whose
licence is unknown or not on the list in [`tools/licences.py`](../tools/licences.py). `make sbom` writes the same
packages with their versions as a CycloneDX bill of materials.

| package | licence |
|---|---|
"""


def document(packages: Iterable[Dependency]) -> str:
    """The whole document. Without versions: those are in uv.lock."""
    rows = (f"| {package.name} | {package.licence} |\n" for package in packages if package.name != OWN)
    return _HEAD + "".join(rows)


def refused(packages: Iterable[Dependency]) -> list[str]:
    """The packages whose licence is unknown or not allowed. `A OR B` needs one allowed, `A AND B` all."""
    return [
        f"{package.name}: {package.licence or 'unknown'}" for package in packages if not _is_allowed(package.licence)
    ]


def _is_allowed(expression: str) -> bool:
    tokens = re.findall(r"\(|\)|[\w.+-]+", expression)
    if not tokens:
        return False
    allowed, rest = _either(tokens)
    return allowed and not rest


def _either(tokens: list[str]) -> tuple[bool, list[str]]:
    """`a OR b`, where AND binds tighter."""
    allowed, tokens = _all(tokens)
    while tokens[:1] == ["OR"]:
        other, tokens = _all(tokens[1:])
        allowed = allowed or other
    return allowed, tokens


def _all(tokens: list[str]) -> tuple[bool, list[str]]:
    allowed, tokens = _one(tokens)
    while tokens[:1] == ["AND"]:
        other, tokens = _one(tokens[1:])
        allowed = allowed and other
    return allowed, tokens


def _one(tokens: list[str]) -> tuple[bool, list[str]]:
    if tokens[:1] == ["("]:
        allowed, rest = _either(tokens[1:])
        return (allowed, rest[1:]) if rest[:1] == [")"] else (False, rest)
    return (tokens[0] in ALLOWED, tokens[1:]) if tokens else (False, [])


def main() -> None:
    """Rewrite the document."""
    DOCUMENT.write_text(document(dependencies()), "utf-8")


if __name__ == "__main__":
    main()
