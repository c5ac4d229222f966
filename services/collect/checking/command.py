"""`clickpulse collect --check URL`: prints what is there and what is missing."""

import sys
from urllib.parse import urlsplit

from services.collect.checking.fetching import fetch
from services.collect.checking.findings import findings
from services.collect.sites import Sites


def check(url: str, script_path: str, sites: Sites) -> int:
    """Print a line for each finding. Returns the exit code: 0 nothing is missing, 1 something is."""
    is_complete = True
    for is_ok, what, remedy in findings(url, fetch, script_path, sites):
        is_complete &= is_ok
        sys.stdout.write(f"{'ok' if is_ok else 'missing':8} {_legible(what)}\n")
        if not is_ok:
            sys.stdout.write(f"{'':8} → {_legible(remedy)}\n")
        sys.stdout.flush()
    return 0 if is_complete else 1


def is_page(url: str) -> bool:
    """Whether it is the address of a page."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def _legible(text: str) -> str:
    """Without what a hostile page could do to a terminal."""
    return "".join(sign if sign.isprintable() else "?" for sign in text[:1000])
