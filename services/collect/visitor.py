"""Whose click it is. Pure.

Without a user id, the text that identifies a visitor is the address, the user agent and the site;
`shared.privacy.rotation` hashes it with the day's salt, so that nobody can be followed into the next day, nor from one
site to another.
"""

from shared.events.time_units import HALF_HOUR_SECONDS


def identity_of(address: str, user_agent: str | None, site: str | None) -> str:
    """The text to hash for a visitor without a user id. No two triples give the same text."""
    return f"{address}\n{site or ''}\n{user_agent or ''}"  # neither address nor site holds a line break


def anonymous_identity_of(address: str, user_agent: str | None, site: str | None, timestamp_ms: int) -> str:
    """The same for somebody who asks not to be followed: another one each half hour of UTC."""
    return f"{identity_of(address, user_agent, site)}\n{timestamp_ms // 1000 // HALF_HOUR_SECONDS}"
