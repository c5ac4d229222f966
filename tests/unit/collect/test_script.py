"""The script that web pages load, as it is checked in."""

import gzip
import re
from pathlib import Path
from typing import Final

from services.collect.script import content

FOLDER: Final = Path(content.__file__).parent
DOCUMENT: Final = (FOLDER.parents[2] / "docs" / "collector.md").read_text(encoding="utf-8")
MOST_BYTES: Final = 1500
"""Compressed, as browsers load it."""


def test_it_stays_small() -> None:
    assert len(content.GZIPPED) <= MOST_BYTES


def test_it_is_compressed_as_it_is() -> None:
    assert gzip.decompress(content.GZIPPED) == content.CONTENT


def test_it_is_one_line_of_ascii_that_no_decoding_changes() -> None:
    assert content.CONTENT.isascii()
    assert content.CONTENT.count(b"\n") <= 1


def test_it_neither_stores_nor_asks_who_visits() -> None:
    for word in (b"cookie", b"Storage", b"indexedDB", b"caches", b"userAgent", b"screen", b"languages", b"webdriver"):
        assert word not in content.CONTENT


def test_the_documentation_names_every_attribute_and_every_download() -> None:
    source = (FOLDER / "clickpulse.ts").read_text(encoding="utf-8")
    attributes = set(re.findall(r"options\.(\w+)|'(\w+)' in options", source))
    assert {f"data-{one or other}" for one, other in attributes} == set(re.findall(r"^\| `(data-\w+)", DOCUMENT, re.M))
    (downloads,) = re.findall(r"DOWNLOADS = '(.*)'", source)
    (named,) = re.findall(r"^The usual downloads are (.*)\.$", DOCUMENT, re.M)
    assert re.split(r", | and ", named) == downloads.split(",")


def test_the_documented_size_is_right() -> None:
    assert f"loads in {len(content.GZIPPED) / 1000:.1f} KB compressed" in DOCUMENT
