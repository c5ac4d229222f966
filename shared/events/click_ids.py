"""Click ids: parameters that advertisers, networks and mailers append to the links that lead to a site.

Their values identify a click, and so a person, to whoever appended them. Their names say where the visit came from.
"""

from typing import Final

PAID_CLICK_IDS: Final = frozenset({
    "gclid", "gbraid", "wbraid", "dclid", "gad_source",  # Google Ads, Display & Video 360
    "msclkid",  # Microsoft Advertising
    "yclid",  # Yandex Direct
    "ttclid", "twclid", "li_fat_id", "sccid", "rdt_cid",  # TikTok, X, LinkedIn, Snapchat, Reddit
    "tblci", "obclid", "dicbo",  # Taboola, Outbrain
    "irclickid",  # impact.com
})  # fmt: skip
SOCIAL_CLICK_IDS: Final = frozenset({"fbclid", "igsh", "igshid"})
"""Facebook and Instagram append these to every link, ads included."""
EMAIL_CLICK_IDS: Final = frozenset({"mc_cid", "mc_eid", "_hsenc", "_hsmi", "_kx", "mkt_tok"})
"""Mailchimp, HubSpot, Klaviyo, Marketo."""
SEARCH_CLICK_IDS: Final = frozenset({"srsltid", "ysclid"})
"""Google's free product listings, Yandex."""

CLICK_IDS: Final = PAID_CLICK_IDS | SOCIAL_CLICK_IDS | EMAIL_CLICK_IDS | SEARCH_CLICK_IDS
"""In lower case, as they are compared."""
