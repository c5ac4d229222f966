"""The simulated shop's lookups, as files for `clickpulse load-lookups`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from services.traffic.catalogue import CATEGORY_SLUGS, PRODUCTS
from services.traffic.visitors import person
from services.traffic.world import World

PRODUCTS_FILE: Final = "products.json"
VISITORS_FILE: Final = "visitors.ndjson"
SHOP_FILE: Final = "shop.json"

_encode = msgspec.json.Encoder().encode


def products() -> list[dict[str, str]]:
    """The catalogue: `productId`, `category`, `title`."""
    return [
        {"productId": product.product_id, "category": product.category, "title": product.title}
        for shelf in PRODUCTS.values()
        for product in shelf
    ]


def shop() -> list[dict[str, str | int]]:
    """The catalogue as the collector's shop reads it: `productId`, `category`, `title`, and what its pages need."""
    return [
        {
            "productId": product.product_id,
            "category": product.category,
            "categorySlug": CATEGORY_SLUGS[product.category],
            "title": product.title,
            "slug": product.slug,
            "priceCents": product.price_cents,
        }
        for shelf in PRODUCTS.values()
        for product in shelf
    ]


def visitors(world: World) -> Iterator[dict[str, str]]:
    """The people with an account: `userId`, `gender`, `birthDate`."""
    for number in range(world.visitors):
        visitor = person(world.seed, number)
        if visitor.profile is not None:
            yield {
                "userId": visitor.user_id,
                "gender": visitor.profile.gender,
                "birthDate": visitor.profile.birth_date.isoformat(),
            }


def write_lookups(world: World, directory: Path) -> None:
    """Write these files; creates the directory if missing. Raises OSError."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / PRODUCTS_FILE).write_bytes(msgspec.json.format(_encode(products()), indent=2) + b"\n")
    (directory / SHOP_FILE).write_bytes(_encode(shop()) + b"\n")
    with (directory / VISITORS_FILE).open("wb") as file:
        file.writelines(_encode(visitor) + b"\n" for visitor in visitors(world))
