"""How far people's sessions come: a cart, a checkout, an order, and newsletter sign-ups. Pure.

Of a hundred carts seventy are abandoned, which is what surveys of online shops find.
"""

from enum import IntEnum
from random import Random
from typing import Final, NamedTuple

from services.traffic.acquisition import Arrival, mean_over_arrivals

CART_SHARE: Final = 0.075
"""Of people's sessions, those that put something into the cart."""
CHECKOUT_SHARE: Final = 0.52
"""Of sessions with a cart, those that go on to the checkout."""
ORDER_SHARE: Final = 0.3
"""Of sessions with a cart, those that order."""
REFUND_SHARE: Final = 0.05
"""Of orders, those that are refunded, in part or in full."""
_SIGN_UP_SHARE: Final = 0.012  # of sessions
_RELOAD_SHARE: Final = 0.03  # of orders: the thank-you page is loaded twice and reports the order again

_ITEMS: Final = (0.70, 0.90, 1.0)  # cumulative share of baskets with up to 1, 2, 3 products
_MOST_LIKELY_CART: Final = 0.5
_CART_LIKELIHOOD: Final = CART_SHARE / mean_over_arrivals(lambda arrival: arrival.intent)


class Stage(IntEnum):
    """How far a session comes."""

    NO_CART = 0
    CART = 1
    CHECKOUT = 2
    ORDER = 3


class Intention(NamedTuple):
    """What a session is going to do after browsing."""

    stage: Stage
    products: int = 0
    is_reloaded: bool = False
    signs_up: bool = False

    @property
    def reports(self) -> int:
        """How often the thank-you page reports the order: each time, an event for each of its products."""
        return 1 + self.is_reloaded if self.stage is Stage.ORDER else 0

    @property
    def steps(self) -> int:
        """How many steps that takes."""
        pages = (0, 1, 2, 3)[self.stage]
        return 2 * self.products + pages + self.reports * self.products + self.signs_up

    def is_reported(self, step: int) -> bool:
        """Whether a step, from 0, follows at once: an event of the order, but for the one that a reload sends first."""
        number = step - 2 * self.products - 3
        return 0 <= number < self.reports * self.products and (number == 0 or number % self.products != 0)


_LOOKS: Final = Intention(Stage.NO_CART)
_MEAN_PRODUCTS: Final = sum((1.0, *(1 - share for share in _ITEMS[:-1])))  # of a basket
MOST_STEPS: Final = Intention(Stage.ORDER, len(_ITEMS), is_reloaded=True, signs_up=True).steps
MEAN_STEPS: Final = (
    CART_SHARE * (2 * _MEAN_PRODUCTS + 1)
    + CART_SHARE * CHECKOUT_SHARE
    + CART_SHARE * ORDER_SHARE * (1 + _MEAN_PRODUCTS * (1 + _RELOAD_SHARE))
    + _SIGN_UP_SHARE
)
"""Of a person's session."""


def draw_intention(rng: Random, arrival: Arrival) -> Intention:
    """What a session that arrives this way is going to do."""
    signs_up = rng.random() < _SIGN_UP_SHARE
    likelihood = min(_CART_LIKELIHOOD * arrival.intent, _MOST_LIKELY_CART)
    luck = rng.random() / likelihood
    if luck >= 1:
        return Intention(Stage.NO_CART, signs_up=True) if signs_up else _LOOKS
    wish = rng.random()
    products = next(number for number, share in enumerate(_ITEMS, start=1) if wish < share)
    if luck >= CHECKOUT_SHARE:
        return Intention(Stage.CART, products, signs_up=signs_up)
    if luck >= ORDER_SHARE:
        return Intention(Stage.CHECKOUT, products, signs_up=signs_up)
    return Intention(Stage.ORDER, products, is_reloaded=rng.random() < _RELOAD_SHARE, signs_up=signs_up)
