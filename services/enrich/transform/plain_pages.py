"""Pages that are no products: a log's clicks name the path of each page as its product, whatever the page is. Pure."""

from services.enrich.lookups.catalogue import UNKNOWN_PRODUCT, ProductFacts


def is_plain_page(product_id: str, url: object, product: ProductFacts) -> bool:
    """Whether a product id is only the path of the click's `url`, and the catalogue has no such product.

    An id of another kind stays a product without a catalogue, because a producer meant it as one.

    >>> is_plain_page("/about", "https://shop.example/about?ref=1", UNKNOWN_PRODUCT)
    True
    """
    if product is not UNKNOWN_PRODUCT or not product_id.startswith("/") or not isinstance(url, str):
        return False
    address = url.split("?", 1)[0].split("#", 1)[0]
    before = address.removesuffix(product_id)
    if before == address:
        return False
    scheme, separator, host = before.partition("://")
    return not before or (bool(scheme and separator) and "/" not in host)
