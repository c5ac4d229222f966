"""`GET /v1/check`: how the collector sees the client that asks, and whether it accepts a site. Pure.

It tells a stranger what the answers to events tell too, and about no one but the client itself.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from services.collect.proxies import ignored_header
from services.collect.request import Answer, Request
from services.collect.sites import Gpc, Sites, gpc_of
from shared.events.hosts import site_name

CHECK_PATH: Final = "/v1/check"


class SelfReport(msgspec.Struct, frozen=True):
    """What the collector answers about a site and the client."""

    collector: str = ""  # "clickpulse"
    is_accepting: bool = False  # else events get 503
    site: str | None = None  # as events of it are counted; None: they are refused
    is_open: bool = False  # every site is accepted
    accepts_origin: bool = False  # from pages of the request's Origin
    address: str = ""  # the client's
    ignored_header: str | None = None  # names another client, but comes from no trusted proxy
    gpc: Gpc = "anonymous"
    signal: bool = False  # the request has Sec-GPC or DNT


def self_report(sites: Sites, gpc: Gpc, is_accepting: Callable[[], bool]) -> Callable[[Request], Answer]:
    """The document of CHECK_PATH. The parameter `site` names the site."""

    def answer(request: Request) -> Answer:
        site = sites.named(site_name(request.parameters().get("site", "")))
        report = SelfReport(
            "clickpulse",
            is_accepting(),
            None if site is None else site.name,
            sites.are_open,
            sites.are_open or (site is not None and site.allows_origin(request.origin)),
            request.address,
            ignored_header(request.address, request.headers),
            gpc_of(site, gpc),
            request.privacy_signal is not None,
        )
        return Answer(200, msgspec.json.encode(report), headers=((b"cache-control", b"no-store"),))

    return answer
