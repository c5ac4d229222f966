"""Campaigns: what a link says of itself in `utm_campaign`, `utm_source` and `utm_medium`. Pure."""

from typing import Final

from shared.events.limits import shortened

CAMPAIGN_BYTES: Final = 256
"""The most bytes of a campaign's name in UTF-8."""

_NAME_BYTES: Final = 128
_PART_BYTES: Final = 60
_NOT_SET: Final = "-"


def campaign_of(campaign: str, source: str, medium: str) -> str | None:
    """The campaign with its source and medium, both or neither; None without a campaign.

    >>> campaign_of("spring_sale", "newsletter", "email"), campaign_of("spring_sale", "", "email")
    ('spring_sale (newsletter / email)', 'spring_sale (- / email)')
    """
    name = shortened(_printable(campaign), _NAME_BYTES)
    if not name:
        return None
    source, medium = (shortened(_printable(part), _PART_BYTES) for part in (source, medium))
    return f"{name} ({source or _NOT_SET} / {medium or _NOT_SET})" if source or medium else name


def _printable(text: str) -> str:
    """The text on one line, without control and formatting characters, so that two names differ where they look so."""
    if not text.isprintable():
        text = "".join(character for character in " ".join(text.split()) if character.isprintable())
    return " ".join(text.split())
