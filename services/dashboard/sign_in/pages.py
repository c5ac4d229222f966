"""The pages of the dashboard by path, where one returns to after signing in, and links to one page. Pure."""

import re
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from services.dashboard.web.page_document import EXPLORE, OPERATIONS, PATHS, SALES

LIVE: Final = "live"
SHARE: Final = "share"
"""The parameter of a shared link that holds its token."""

TITLES: Final = {"": "Live", EXPLORE: "Explore", SALES: "Sales", OPERATIONS: "Operations"}
assert set(TITLES) == set(PATHS)

_LONGEST: Final = 2_000
_QUERY: Final = re.compile(r"[A-Za-z0-9%&=+._~!$'()*,;:@/?-]*")


def page_of(name: str) -> str | None:
    """The path of a page by the name that people use: `live`, `explore`, `sales`, `operations`."""
    path = "" if name == LIVE else name
    return path if path in PATHS and name else None


def read_next(text: str | None) -> str:
    """Where to go after signing in: a page and its choices; Live for anything else.

    A path of the dashboard alone, so that nothing leads to another site.
    """
    page, mark, query = (text or "")[:_LONGEST].partition("?")
    if page not in PATHS or _QUERY.fullmatch(query) is None:
        return ""
    query = without_share(query)
    return page + mark + query if query else page


def next_of_referrer(referrer: str | None) -> str:
    """The page that a browser came from. Its site does not matter, because only a page's name is taken from it."""
    try:
        parts = urlsplit(referrer or "")
    except ValueError:
        return ""
    return read_next(f"{parts.path.rpartition('/')[2]}?{parts.query}")


def without_share(query: str) -> str:
    """The query without the token of a shared link; unchanged if it has none."""
    pairs = parse_qsl(query, keep_blank_values=True)
    return urlencode([pair for pair in pairs if pair[0] != SHARE]) if any(name == SHARE for name, _ in pairs) else query


def relative(next_page: str) -> str:
    """The address as seen from a page beside it, as all pages are, under whatever path they are served."""
    return f"./{next_page}"
