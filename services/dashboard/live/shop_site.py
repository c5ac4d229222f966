"""Whether a site sells anything. Pure."""

from shared.rollups.contract import Snapshot


def shows_products(snapshot: Snapshot) -> bool:
    """Whether the site is a shop, or so quiet that it may be one."""
    return bool(snapshot.windows.products_1h) or not snapshot.windows.pages_1h
