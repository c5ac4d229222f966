"""The simulated shop as the options of `clickpulse generate` describe it. Pure."""

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class World:
    """A shop with its visitors. `rate` is the mean number of events per second over a day, bots included."""

    seed: int
    rate: float
    visitors: int  # people; bots are extra

    @property
    def name(self) -> str:
        """Eight hex digits unique to this world; its event ids start with them."""
        return hashlib.blake2s(f"{self.seed} {self.rate} {self.visitors}".encode(), digest_size=4).hexdigest()
