"""Short pages that say why there is no dashboard here, and what to do. Pure."""

import html
from dataclasses import dataclass
from typing import Final

_PAGE: Final = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>
<style>body {{ font: 16px/1.5 sans-serif; max-width: 40em; margin: 15vh auto 0; padding: 0 1em }}
:root {{ color-scheme: light dark }}
code {{ font-size: 1em }}</style></head>
<body><h1>{title}</h1>{paragraphs}</body></html>
"""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A response without a dashboard. `reason` is for the log; `headers` come on top of its content type."""

    status: int
    reason: str
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()

    @property
    def all_headers(self) -> list[tuple[bytes, bytes]]:
        return [
            (b"content-type", b"text/html; charset=utf-8"),
            (b"content-length", str(len(self.body)).encode()),
            (b"cache-control", b"no-store"),
            *self.headers,
        ]


def _page(title: str, *paragraphs: str) -> bytes:
    text = "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)
    return _PAGE.format(title=html.escape(title), paragraphs=text).encode()


def unknown_host(host: str) -> Refusal:
    """The dashboard was asked under a name that is not listed."""
    shown = html.escape(host[:100])
    return Refusal(
        403,
        "unknown host",
        _page(
            "Unknown host name",
            f"This dashboard does not answer to the name <code>{shown}</code>.",
            "If you run it: add the name to the setting <code>DASHBOARD_HOSTS</code>, separated by commas and without "
            "port, and restart the dashboard. A proxy in front must pass on the browser's <code>Host</code> header.",
        ),
    )


def foreign_site(origin: str) -> Refusal:
    """A page of another site asked."""
    shown = html.escape(origin[:100])
    return Refusal(
        403,
        "foreign site",
        _page(
            "Request from another site",
            f"A page of another site (<code>{shown}</code>) sent this request, so the dashboard does not answer it.",
            "If you run the dashboard behind a proxy: the proxy must pass on the browser's <code>Host</code> header. "
            "To embed the dashboard in a page, add that page's origin to <code>DASHBOARD_FRAME_ANCESTORS</code>.",
        ),
    )


NOT_FOUND: Final = Refusal(404, "closed path", _page("Not found", "The dashboard has no such page."))
NOT_ALLOWED: Final = Refusal(
    405, "method", _page("Method not allowed", "Nothing can be sent to this address."), ((b"allow", b"GET, HEAD"),)
)
_RETRY_SECONDS: Final = 10


def full(viewers: int) -> Refusal:
    """As many pages are open as may be. The page reloads itself."""
    return Refusal(
        503,
        "full",
        _page(
            "The dashboard is full",
            f"{viewers} pages are open, the most that this dashboard serves at once.",
            f"This page tries again every {_RETRY_SECONDS} seconds and opens the dashboard when it can.",
            "If you run the dashboard: <code>DASHBOARD_VIEWERS</code> is the limit.",
        ),
        ((b"retry-after", str(_RETRY_SECONDS).encode()), (b"refresh", str(_RETRY_SECONDS).encode())),
    )
