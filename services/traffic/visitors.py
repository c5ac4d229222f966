"""The people and bots of the simulated shop. Pure: visitor number n depends only on the seed."""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from random import Random
from typing import Final, Literal

from services.traffic.addresses import draw_address, draw_country
from services.traffic.catalogue import PRODUCTS
from services.traffic.user_agents import draw_bot, draw_browser

BOT_ADDRESSES: Final = 240
CURRENCIES: Final = {"GB": "GBP", "CH": "CHF"}
"""By country; all others pay in euros."""

_WITH_PROFILE: Final = 0.85
_WITH_APP: Final = 0.3  # of people with a phone
_EARLIEST_BIRTH: Final = date(1945, 1, 1)
_LATEST_BIRTH: Final = date(2009, 12, 31)
_USUAL_BIRTH: Final = date(1989, 1, 1)
_CATEGORIES: Final = tuple(PRODUCTS)
_REMEMBERED: Final = 100_000


@dataclass(frozen=True, slots=True)
class Profile:
    """What the shop knows about a visitor with an account."""

    gender: Literal["F", "M"]
    birth_date: date


@dataclass(frozen=True, slots=True)
class Visitor:
    """A person on one device, or a bot (without profile or favourites)."""

    user_id: str
    ip: str
    user_agent: str
    profile: Profile | None = None
    favourites: tuple[str, ...] = ()  # categories
    currency: str = "EUR"
    platform: str = "web"


@lru_cache(maxsize=_REMEMBERED)
def person(seed: int, number: int) -> Visitor:
    """The person with this number. Low numbers return most often."""
    rng = Random(f"person {seed} {number}")
    user_id = f"{rng.getrandbits(64):016x}"
    profile = _draw_profile(rng) if rng.random() < _WITH_PROFILE else None
    favourites = tuple(rng.sample(_CATEGORIES, 2))
    country = draw_country(rng)
    address, user_agent = draw_address(rng, country), draw_browser(rng)
    platform = "app" if "Mobile" in user_agent and rng.random() < _WITH_APP else "web"
    return Visitor(user_id, address, user_agent, profile, favourites, CURRENCIES.get(country.code, "EUR"), platform)


@lru_cache(maxsize=BOT_ADDRESSES)
def bot(seed: int, number: int) -> Visitor:
    """The bot with this number, below BOT_ADDRESSES."""
    rng = Random(f"bot {seed} {number}")
    ip, user_agent = draw_bot(rng)
    return Visitor(f"{rng.getrandbits(64):016x}", ip, user_agent)


def _draw_profile(rng: Random) -> Profile:
    days = (_LATEST_BIRTH - _EARLIEST_BIRTH).days
    usual = (_USUAL_BIRTH - _EARLIEST_BIRTH).days
    born = _EARLIEST_BIRTH + timedelta(days=int(rng.triangular(0, days, usual)))
    return Profile("F" if rng.random() < 0.52 else "M", born)
