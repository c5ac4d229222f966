"""Whether a Content Security Policy lets a page load a script or send to an address. Pure.

The part of CSP level 3 that our script depends on: https://www.w3.org/TR/CSP3/#match-url-to-source-list.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import SplitResult, urlsplit

SCRIPT: Final = ("script-src-elem", "script-src", "default-src")
CONNECT: Final = ("connect-src", "default-src")

_PORTS: Final = {"http": 80, "https": 443}
_HOST: Final = re.compile(r"(?:(?P<scheme>[a-z][a-z0-9+.-]*)://)?(?P<host>[^:/]+)(?::(?P<port>\d+|\*))?(?P<path>/.*)?")


def blocking(
    policies: Sequence[str], directives: Sequence[str], url: str, page_url: str, nonce: str = ""
) -> str | None:
    """The directive that forbids `url`, as the page's policies have it; None if all allow it.

    A header may hold several policies, separated by commas; each has to allow it.
    """
    for policy in (part for header in policies for part in header.split(",")):
        rules = _directives(policy)
        directive = next((name for name in directives if name in rules), None)
        if directive is not None and not _allows(
            rules[directive], url, page_url, nonce, is_script="script" in directives[0]
        ):
            return f"{directive} {' '.join(rules[directive])}".strip()
    return None


def _directives(policy: str) -> Mapping[str, Sequence[str]]:
    found: dict[str, Sequence[str]] = {}
    for name, *sources in filter(None, map(str.split, policy.split(";"))):
        found.setdefault(name.lower(), sources)  # of two the first counts
    return found


def _allows(sources: Sequence[str], url: str, page_url: str, nonce: str, *, is_script: bool) -> bool:
    if is_script and nonce and f"'nonce-{nonce}'" in sources:
        return True
    if is_script and "'strict-dynamic'" in (source.lower() for source in sources):
        return False  # then hosts do not count
    asked, page = urlsplit(url), urlsplit(page_url)
    return any(_matches(source, asked, page) for source in sources)


def _matches(source: str, asked: SplitResult, page: SplitResult) -> bool:
    lowered = source.lower()
    if lowered == "*":
        return asked.scheme in _PORTS
    if lowered == "'self'":
        return (
            _is_scheme(page.scheme, asked.scheme)
            and asked.hostname == page.hostname
            and (_port(asked) == _port(page) or (_is_default(asked) and _is_default(page)))
        )
    if lowered.startswith("'"):
        return False
    if re.fullmatch(r"[a-z][a-z0-9+.-]*:", lowered):
        return _is_scheme(lowered[:-1], asked.scheme)
    found = _HOST.fullmatch(source)
    return found is not None and _is_host(found, asked, page)


def _is_host(source: re.Match[str], asked: SplitResult, page: SplitResult) -> bool:
    host, given = source["host"].lower(), asked.hostname or ""
    if not (given.endswith(host[1:]) if host.startswith("*.") else host in ("*", given)):
        return False
    if not _is_scheme((source["scheme"] or page.scheme).lower(), asked.scheme):
        return False
    if source["port"] not in (None, "*") and int(source["port"]) != _port(asked):
        return False
    if source["port"] is None and not _is_default(asked):
        return False
    path = source["path"] or ""
    return path in ("", "/") or (asked.path.startswith(path) if path.endswith("/") else asked.path == path)


def _is_scheme(allowed: str, asked: str) -> bool:
    return allowed == asked or (allowed == "http" and asked == "https")


def _port(url: SplitResult) -> int | None:
    return url.port or _PORTS.get(url.scheme)


def _is_default(url: SplitResult) -> bool:
    return _port(url) == _PORTS.get(url.scheme)
