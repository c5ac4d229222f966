"""What a page holds of ours: its scripts, and the policies in its head. Pure."""

from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from typing import Final, NamedTuple
from urllib.parse import urljoin

ATTRIBUTES: Final = ("site", "api", "product", "exclude", "downloads", "hash", "manual")
"""The script's own, as `data-…`."""


class Script(NamedTuple):
    """A script with a `src`, as the browser would load it."""

    url: str
    data: Mapping[str, str]  # its data-attributes, without `data-`
    is_module: bool = False
    nonce: str = ""


class Page(NamedTuple):
    """A page as the browser would see it before any script runs."""

    url: str
    scripts: Sequence[Script]
    policies: Sequence[str]  # of Content-Security-Policy, from the headers and the head


def page_of(url: str, html: str, policies: Sequence[str]) -> Page:
    """The page at `url`; `policies` are those of its headers. Takes any text."""
    parser = _Parser()
    parser.feed(html)
    parser.close()
    base = urljoin(url, parser.base) if parser.base else url
    scripts = [script._replace(url=urljoin(base, script.url)) for script in parser.scripts]
    return Page(url, scripts, [*policies, *parser.policies])


def likely_first(scripts: Sequence[Script], path: str) -> list[Script]:
    """The scripts, those first that look like ours: named so, or with attributes of ours."""

    def unlikeliness(script: Script) -> int:
        is_named = script.url.partition("?")[0].endswith(path)
        return 2 - is_named - any(name in ATTRIBUTES for name in script.data)

    return sorted(scripts, key=unlikeliness)


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.base = ""
        self.scripts: list[Script] = []
        self.policies: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in reversed(attrs)}  # of two the first counts
        if tag == "script" and given.get("src"):
            data = {name.removeprefix("data-"): value for name, value in given.items() if name.startswith("data-")}
            is_module = given.get("type", "").strip().lower() == "module"
            self.scripts.append(Script(given["src"].strip(), data, is_module, given.get("nonce", "")))
        elif tag == "base" and not self.base:
            self.base = given.get("href", "")
        elif tag == "meta" and given.get("http-equiv", "").lower() == "content-security-policy":
            self.policies.append(given.get("content", ""))
