"""Channels: the kind of place that a visitor comes from, by the tags of the page's URL, else by the referrer. Pure.

The channels are those of GA4's default channel group (https://support.google.com/analytics/answer/9756891) as
Plausible extends it (https://github.com/plausible/analytics, `acquisition.ex`), in fewer groups: everything paid is
one, and video is Social. `channel_tables` has the hosts and the words. The first that applies decides:

1. Paid: an advertiser's click id, or a `utm_medium` or `utm_source` of advertising.
2. Email, Social or AI assistant by `utm_medium`.
3. `utm_source`: the name or host of a search engine, network, mailer or assistant.
4. Organic search or Referral by `utm_medium`.
5. A click id that a search engine, network or mailer appends to all its links.
6. The referrer: Direct without one, Internal with the host of the page, else the channel of its host, else Referral.
   A link with `utm_source` or `utm_medium` that nobody knows is a Referral instead of Direct or Internal.
"""

import re
from collections.abc import Sequence
from typing import Final

from shared.events.click_ids import EMAIL_CLICK_IDS, PAID_CLICK_IDS, SEARCH_CLICK_IDS, SOCIAL_CLICK_IDS
from shared.links.channel_tables import (
    APPS,
    DIRECT,
    EMAIL,
    EMAIL_PARTS,
    HOSTS,
    INTERNAL,
    MAIL_LABELS,
    PAID,
    PAID_MEDIUMS,
    PAID_SOURCES,
    REFERRAL,
    SEARCH,
    SOCIAL,
    SOURCES,
    STRONG_MEDIUMS,
    WEAK_MEDIUMS,
)
from shared.links.sources import Site, is_internal

UNKNOWN_TAGS: Final = ""
"""In place of a channel: the link has tags, but none that the tables know."""

_SEPARATORS: Final = re.compile(r"[-_.+\s]+")
_MOST_LABELS: Final = 6  # of a host; what comes before does not matter
_COUNTRY: Final = re.compile(r"com|[a-z]{2}|com?\.[a-z]{2}")
_BY_CLICK_ID: Final = {
    **dict.fromkeys(SOCIAL_CLICK_IDS, SOCIAL),
    **dict.fromkeys(EMAIL_CLICK_IDS, EMAIL),
    **dict.fromkeys(SEARCH_CLICK_IDS, SEARCH),
}


def channel_of_tags(source: str, medium: str, click_ids: Sequence[str]) -> str | None:
    """The channel by `utm_source`, `utm_medium` and the names of click ids; None without any of them.

    UNKNOWN_TAGS where only the referrer can tell.

    >>> channel_of_tags("newsletter", "", ["gclid"])
    'Paid'
    """
    source, medium = source.lower(), medium.lower()
    source_word, medium_word = _SEPARATORS.sub("", source), _SEPARATORS.sub("", medium)
    if (
        not PAID_CLICK_IDS.isdisjoint(click_ids)
        or medium_word in PAID_MEDIUMS
        or medium_word.startswith("paid")
        or source_word in PAID_SOURCES
    ):
        return PAID
    found = (
        STRONG_MEDIUMS.get(medium_word)
        or _email_by_part(medium_word)
        or SOURCES.get(source_word)
        or ("." in source and channel_of_host(source))
        or _email_by_part(source_word)
        or WEAK_MEDIUMS.get(medium_word)
        or next((_BY_CLICK_ID[name] for name in click_ids), None)
    )
    return found or (UNKNOWN_TAGS if source_word or medium_word else None)


def channel_between(referrer: Site | None, page: Site | None, by_tags: str | None) -> str:
    """The channel of an event; `by_tags` is what `channel_of_tags` returns for the URL of its page."""
    if by_tags:
        return by_tags
    if referrer is not None and not is_internal(referrer, page):
        return (channel_of_host(referrer.host) if referrer.is_web else APPS.get(referrer.host)) or REFERRAL
    if by_tags == UNKNOWN_TAGS:
        return REFERRAL
    return DIRECT if referrer is None else INTERNAL


def channel_of_host(host: str) -> str | None:
    """The channel of a host in lower case; None for one that is not listed.

    >>> channel_of_host("news.google.co.uk")
    'Organic search'
    """
    labels = host.split(".")
    last = labels[-_MOST_LABELS:]
    for start in range(len(last) - 1):
        rest = ".".join(last[start + 1 :])
        found = HOSTS.get(f"{last[start]}.{rest}")
        if found is None and _COUNTRY.fullmatch(rest):
            found = HOSTS.get(f"{last[start]}.*")
        if found is None and start == 0 and labels[0] in MAIL_LABELS and len(labels) > 2:
            found = EMAIL
        if found is not None:
            return found
    return None


def _email_by_part(word: str) -> str | None:
    return EMAIL if any(part in word for part in EMAIL_PARTS) else None
