"""How a person's session reaches the shop: the referrer, and the parameters of the landing URL. Pure.

Shares are of sessions, as an online shop sees them. Some campaigns always run; others start and end, on a schedule that
depends only on the time.
"""

from collections.abc import Callable
from functools import lru_cache
from itertools import accumulate
from random import Random
from typing import Final, NamedTuple
from urllib.parse import urlencode

from services.traffic.weighted import draw
from shared.events.time_units import HOUR_MS, MINUTE_MS

_CLICK_ID_CHARACTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
_CLICK_ID_LENGTH: Final = 24


class Schedule(NamedTuple):
    """A campaign's runs: `minutes` long, one every `hours`, the first of a day `offset_minutes` after midnight UTC."""

    hours: int
    offset_minutes: int
    minutes: int

    def is_running(self, at_ms: int) -> bool:
        """Whether a run is under way at this time."""
        return (at_ms - self.offset_minutes * MINUTE_MS) % (self.hours * HOUR_MS) < self.minutes * MINUTE_MS


class Arrival(NamedTuple):
    """A way to reach the shop. `weight` is its share among those that run.

    `intent` is how likely a session buys, as a multiple of what is usual. `category` is what a campaign advertises, and
    where its links lead.
    """

    weight: float
    referrer: str | None = None
    parameters: str = ""
    click_id: str | None = None
    intent: float = 1.0
    category: str | None = None
    schedule: Schedule | None = None

    def query(self, rng: Random) -> str:
        """The query of the landing URL, without `?`; empty for none. A click id is a new one each time."""
        if self.click_id is None:
            return self.parameters
        click_id = f"{self.click_id}={''.join(rng.choices(_CLICK_ID_CHARACTERS, k=_CLICK_ID_LENGTH))}"
        return f"{self.parameters}&{click_id}" if self.parameters else click_id


def _utm(source: str, medium: str, campaign: str | None = None) -> str:
    tags = {"utm_source": source, "utm_medium": medium, "utm_campaign": campaign}
    return urlencode({name: value for name, value in tags.items() if value is not None})


_GOOGLE: Final = "https://www.google.com/"
_BING: Final = "https://www.bing.com/"
_INSTAGRAM: Final = "https://l.instagram.com/"
_FACEBOOK: Final = "https://l.facebook.com/"

ARRIVALS: Final = (
    Arrival(22, intent=1.3),
    # Search engines.
    Arrival(24, _GOOGLE),
    Arrival(3.4, _BING, intent=1.1),
    Arrival(2.2, "https://duckduckgo.com/"),
    Arrival(0.8, "https://search.yahoo.com/", intent=0.9),
    Arrival(0.5, "https://www.ecosia.org/"),
    # Advertisements.
    Arrival(5, _GOOGLE, _utm("google", "cpc", "brand"), "gclid", 2.0),
    Arrival(5, _GOOGLE, _utm("google", "cpc", "shopping-all"), "gclid", 1.2),
    Arrival(1, _BING, _utm("bing", "cpc", "brand"), "msclkid", 1.8),
    Arrival(3.5, _FACEBOOK, _utm("facebook", "paid_social", "retargeting"), "fbclid", 1.1),
    Arrival(1, "https://www.tiktok.com/", _utm("tiktok", "paid_social", "prospecting"), "ttclid", 0.4),
    # Social networks.
    Arrival(4, _INSTAGRAM, intent=0.4),
    Arrival(2, _FACEBOOK, click_id="fbclid", intent=0.4),
    Arrival(1.6, "https://www.reddit.com/", intent=0.5),
    Arrival(1.2, "https://www.pinterest.com/", intent=0.5),
    Arrival(1.2, "https://www.youtube.com/", intent=0.6),
    Arrival(0.4, "https://t.co/", intent=0.4),
    # Mail: links of a mail app have no referrer, those of a mail site do.
    Arrival(4, None, _utm("newsletter", "email", "weekly-digest"), intent=1.9),
    Arrival(1.5, "https://mail.google.com/", _utm("newsletter", "email", "weekly-digest"), intent=1.9),
    Arrival(1.5, None, _utm("crm", "email", "cart-reminder"), intent=4.0),
    # Assistants.
    Arrival(2.4, "https://chatgpt.com/", _utm("chatgpt.com", "referral"), intent=1.4),
    Arrival(0.7, "https://www.perplexity.ai/", intent=1.4),
    Arrival(0.5, "https://gemini.google.com/", intent=1.2),
    Arrival(0.4, "https://claude.ai/", intent=1.4),
    Arrival(0.3, "https://copilot.microsoft.com/", intent=1.2),
    # Partners and other sites that link to the shop.
    Arrival(1.4, "https://price-compass.example/", _utm("price-compass", "affiliate", "product-feed"), intent=1.8),
    Arrival(0.9, "https://trail-and-peak.example/", _utm("trail-and-peak", "affiliate"), intent=1.3),
    Arrival(0.8, "https://gear-reviews.example/"),
    Arrival(0.6, "https://slow-kitchen.example/"),
    Arrival(0.5, "https://forum.home-office.example/", intent=0.8),
    Arrival(0.3, "https://city-gazette.example/", intent=0.5),
    # Campaigns that start and end.
    Arrival(
        14, None, _utm("newsletter", "email", "flash-sale"), intent=1.8, category="shoes", schedule=Schedule(3, 20, 40)
    ),
    Arrival(
        9, _INSTAGRAM, _utm("instagram", "influencer", "studio-drop"), intent=0.7, category="handbags",
        schedule=Schedule(4, 75, 50),
    ),
    Arrival(
        7, _GOOGLE, _utm("google", "cpc", "smart-home-week"), "gclid", 1.1, "electronics", Schedule(6, 150, 120)
    ),
    Arrival(6, _FACEBOOK, _utm("facebook", "paid_social", "game-night"), "fbclid", 0.9, "games", Schedule(2, 85, 30)),
)  # fmt: skip
assert all((arrival.category is None) == (arrival.schedule is None) for arrival in ARRIVALS)


def draw_arrival(rng: Random, at_ms: int) -> Arrival:
    """How a session that starts at this time reaches the shop."""
    arrivals, weights = _running(at_ms // MINUTE_MS)
    return draw(rng, arrivals, weights)


def mean_over_arrivals(value_of: Callable[[Arrival], float]) -> float:
    """The mean of a value over the sessions of a long time."""
    weights = [arrival.weight * _running_share(arrival) for arrival in ARRIVALS]
    return sum(weight * value_of(arrival) for weight, arrival in zip(weights, ARRIVALS, strict=True)) / sum(weights)


@lru_cache(maxsize=16)
def _running(minute: int) -> tuple[tuple[Arrival, ...], tuple[float, ...]]:
    """What runs in this minute since the epoch, with cumulative weights."""
    arrivals = tuple(
        arrival for arrival in ARRIVALS if arrival.schedule is None or arrival.schedule.is_running(minute * MINUTE_MS)
    )
    return arrivals, tuple(accumulate(arrival.weight for arrival in arrivals))


def _running_share(arrival: Arrival) -> float:
    schedule = arrival.schedule
    return 1.0 if schedule is None else schedule.minutes * MINUTE_MS / (schedule.hours * HOUR_MS)
