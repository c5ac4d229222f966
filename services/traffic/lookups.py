"""The simulated shop's lookups, as files for `clickpulse load-lookups`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from services.traffic.catalogue import PRODUCTS
from services.traffic.simulation import World
from services.traffic.visitors import person

PRODUCTS_FILE: Final = "products.json"
VISITORS_FILE: Final = "visitors.ndjson"

_encode = msgspec.json.Encoder().encode


def products() -> list[dict[str, str]]:
    """The catalogue: `productId`, `category`, `title`."""
    return [
        {"productId": product.product_id, "category": product.category, "title": product.title}
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
    """Write both files; creates the directory if missing. Raises OSError."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / PRODUCTS_FILE).write_bytes(msgspec.json.format(_encode(products()), indent=2) + b"\n")
    with (directory / VISITORS_FILE).open("wb") as file:
        file.writelines(_encode(visitor) + b"\n" for visitor in visitors(world))
