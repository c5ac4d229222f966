"""How often one may try to sign in: from one address, and from all together. Pure; times are monotonic seconds.

The limit for all bounds what many addresses can guess and what checking costs. It also holds when there are more
addresses than are remembered, because one that was dropped starts afresh.
"""

from collections import OrderedDict
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Final


@dataclass(frozen=True, slots=True)
class Limit:
    """`burst` attempts at once, then one every `seconds`."""

    burst: int
    seconds: float


BY_ADDRESS: Final = Limit(10, 6.0)  # many people may share the address of a proxy
BY_ALL: Final = Limit(20, 1.0)
MOST_ADDRESSES: Final = 10_000


@dataclass(slots=True)
class _Budget:
    left: float
    at_s: float

    def refill(self, limit: Limit, now_s: float) -> None:
        self.left = min(limit.burst, self.left + max(0.0, now_s - self.at_s) / limit.seconds)
        self.at_s = now_s

    def wait_seconds(self, limit: Limit) -> float:
        return max(0.0, (1 - self.left) * limit.seconds)


class Attempts:
    """Not thread-safe; the event loop owns it."""

    def __init__(
        self, now_s: float, by_address: Limit = BY_ADDRESS, by_all: Limit = BY_ALL, most_addresses: int = MOST_ADDRESSES
    ) -> None:
        self._by_address, self._by_all, self._most_addresses = by_address, by_all, most_addresses
        self._all = _Budget(by_all.burst, now_s)
        self._addresses: OrderedDict[str, _Budget] = OrderedDict()

    def wait_seconds(self, address: str, now_s: float) -> float:
        """0 if the address may try now, which counts as an attempt; else the seconds until it may."""
        network = _network(address)
        budget = self._addresses.setdefault(network, _Budget(self._by_address.burst, now_s))
        self._addresses.move_to_end(network)
        if len(self._addresses) > self._most_addresses:
            self._addresses.popitem(last=False)
        budget.refill(self._by_address, now_s)
        self._all.refill(self._by_all, now_s)
        # An address that is out of attempts takes none from the others.
        waiting = budget.wait_seconds(self._by_address) or self._all.wait_seconds(self._by_all)
        if not waiting:
            budget.left -= 1
            self._all.left -= 1
        return waiting


def _network(address: str) -> str:
    """An IPv6 host has a whole /64 to send from."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or (int(parsed) >> 64))
