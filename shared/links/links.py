"""What matters of a URL or referrer to where a visitor comes from: its site and its tags. Pure.

Many URLs differ and few links do, so events are looked up by this instead of by their URLs.
"""

import re
from typing import Final, NamedTuple
from urllib.parse import unquote_plus

from shared.events.click_ids import CLICK_IDS
from shared.links.campaigns import campaign_of
from shared.links.channels import channel_between, channel_of_tags
from shared.links.sources import Site, site_of, source_between

_READ_CHARACTERS: Final = 4096
_READ_OF_TAG: Final = 1024
_UTM: Final = ("utm_source", "utm_medium", "utm_campaign")
_TAG: Final = re.compile(
    rf"[?&]({'|'.join([*_UTM, *sorted(CLICK_IDS)])})(?:=([^&]*))?(?=&|\Z)", re.IGNORECASE | re.ASCII
)


class Link(NamedTuple):
    """A URL or referrer, reduced."""

    site: Site | None
    channel: str | None = None
    """By its tags, see `channel_of_tags`."""
    campaign: str | None = None


_NO_LINK: Final = Link(None)


def link_of(url: object) -> Link:
    """The site and the tags of a URL. Of a tag that is repeated, the first that is not empty counts."""
    if not isinstance(url, str):
        return _NO_LINK
    site = site_of(url)
    if "?" not in url:
        return Link(site)
    _, mark, query = url[:_READ_CHARACTERS].partition("#")[0].partition("?")
    found = _TAG.findall(mark + query)
    if not found:
        return Link(site)
    tags: dict[str, str] = {}
    for tag, value in found:
        name = tag.lower()
        if not tags.get(name):
            tags[name] = unquote_plus(value[:_READ_OF_TAG]).strip()
    source, medium, campaign = (tags.pop(name, "") for name in _UTM)
    return Link(site, channel_of_tags(source, medium, list(tags)), campaign_of(campaign, source, medium))


def source_by(referrer: Link, page: Link) -> str:
    """The traffic source of an event with these links: where the link was, whatever its tags call it."""
    return source_between(referrer.site, page.site)


def channel_by(referrer: Link, page: Link) -> str:
    """The channel of an event with these links."""
    return channel_between(referrer.site, page.site, page.channel)


def campaign_by(page: Link) -> str | None:
    """The campaign of an event; None without one."""
    return page.campaign
