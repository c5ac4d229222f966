"""What an enriched click may carry: how long its fields are, and how much it says about a person. Pure."""

from typing import Final

from services.enrich.lookups.lru import LruCache
from services.enrich.privacy.urls import CACHE_ENTRIES, LONGEST_CACHED, UrlCleaner
from shared.events.limits import Limits
from shared.events.schema import MAX_EVENT_BYTES

URL_PARAMETERS: Final = ("utm_*",)
_LONGEST_ESCAPE: Final = 6  # bytes of JSON for a byte of text, as in `\\u0000`


class Rules:
    """The rules of one site."""

    def __init__(
        self,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        *,
        url_parameters: tuple[str, ...] = URL_PARAMETERS,
        exposes_pii: bool = False,
        truncates_ip: bool = False,
    ) -> None:
        """With `exposes_pii`, clicks carry birth dates, and full addresses unless `truncates_ip`."""
        assert _LONGEST_ESCAPE * limits.event_bytes <= MAX_EVENT_BYTES  # readers refuse a larger event
        self.limits = limits
        self.exposes_birthdate = exposes_pii
        self.truncates_ip = truncates_ip or not exposes_pii
        clean = UrlCleaner(url_parameters, limits.url_bytes).clean
        self.clean_urls: LruCache[str, str] = LruCache(clean, CACHE_ENTRIES, LONGEST_CACHED)
        """By URL as it was sent."""
