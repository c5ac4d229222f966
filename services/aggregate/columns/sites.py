"""Sites: which of an operator's sites an event belongs to, as its producer says. Pure."""

from shared.events.hosts import site_name


def site_of_event(site: object) -> str | None:
    """The name of an event's site, whoever wrote the event; None for one that belongs to none.

    >>> site_of_event("shop.example"), site_of_event("https://www.Shop.example/"), site_of_event(None)
    ('shop.example', 'shop.example', None)
    """
    return site_name(site) if isinstance(site, str) else None
