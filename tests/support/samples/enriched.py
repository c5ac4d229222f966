"""Random enriched events of the last hours, the same for the same seed."""

import random
from typing import Any

from msgspec import UNSET

from shared.events.schema import DEVICE_TYPES, EnrichedEvent
from tests.support.oracle.naive_rollups import OWN_SITES, TAGGED


def events(seed: int, count: int, now_ms: int) -> list[EnrichedEvent]:
    """Events of nine hours, most from the last one, out of order, some late or duplicate.

    None is in the current minute, so that no minute completes during a test.
    """
    chance = random.Random(seed)
    made = []
    for number in range(count):
        ago_s = chance.choice([chance.uniform(0, 900), chance.uniform(0, 3600), chance.uniform(0, 9.5 * 3600)])
        product = chance.choice([None, *(f"p{n}" for n in range(150))])
        site: Any = chance.choice([*OWN_SITES, UNSET])
        made.append(
            EnrichedEvent(
                timestamp=now_ms - now_ms % 60_000 - 3000 - int(ago_s * 1000),
                userId=f"user {chance.randrange(400)}",
                ip=f"203.0.113.{chance.randrange(256)}",
                productId=product,
                category=None if product is None else f"category {int(product[1:]) % 12}",
                title=product,
                country=chance.choice(["France", "Kenya", "Viet Nam"]),
                deviceType=chance.choice(DEVICE_TYPES),
                birthdate="1984-04-08",
                url=chance.choice([*TAGGED, None]) if product is None else f"/shop/{product}?from={number % 7}",
                eventType=chance.choice(["page_view", "add_to_cart"]),
                browser=chance.choice(["Chrome", "Firefox", "Other"]),
                operatingSystem=chance.choice(["Windows", "Other"]),
                site=site,
                eventId=f"e{number if chance.random() < 0.95 else number // 2}",
            )
        )
    return made
