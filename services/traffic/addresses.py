"""The countries of the simulated visitors: a weight, and address blocks of access providers, for each."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from itertools import accumulate
from random import Random
from typing import Final, NamedTuple

from services.traffic.weighted import draw

Block = IPv4Network | IPv6Network


class Country(NamedTuple):
    """An ISO 3166 code, its share of the visitors, and address blocks entirely inside it."""

    code: str
    weight: float
    ipv4: tuple[IPv4Network, ...]
    ipv6: tuple[IPv6Network, ...]


def _country(code: str, weight: float, *blocks: str) -> Country:
    networks = [ip_network(block) for block in blocks]
    return Country(
        code,
        weight,
        tuple(network for network in networks if isinstance(network, IPv4Network)),
        tuple(network for network in networks if isinstance(network, IPv6Network)),
    )


COUNTRIES: Final = (
    _country("US", 26, "73.0.0.0/8", "24.0.0.0/13", "98.160.0.0/12", "2601::/20", "2600:1700::/28"),
    _country("GB", 10, "86.128.0.0/10", "81.128.0.0/12", "2a00:23c0::/26"),
    _country("DE", 9, "84.128.0.0/10", "91.0.0.0/10", "2003::/19"),
    _country("IN", 7, "106.192.0.0/11", "2409:4000::/22"),
    _country("FR", 6, "90.0.0.0/13", "2a01:cb00::/24"),
    _country("CA", 5, "99.224.0.0/11", "70.48.0.0/13", "2607:fea8::/32"),
    _country("BR", 4.5, "177.32.0.0/14", "2804:14c::/31"),
    _country("JP", 4, "153.128.0.0/9", "2400:4000::/22"),
    _country("NL", 3.5, "84.24.0.0/13"),
    _country("AU", 3, "1.120.0.0/13", "101.160.0.0/11", "2001:8003::/32"),
    _country("ES", 3, "88.0.0.0/11", "83.32.0.0/11", "2a0c:5a80::/29"),
    _country("IT", 3, "79.0.0.0/10", "87.0.0.0/12", "2001:b07::/32"),
    _country("PL", 2.5, "83.0.0.0/11", "79.184.0.0/13", "2a00:f40::/29"),
    _country("SE", 2, "90.224.0.0/12", "81.224.0.0/12", "2001:2040::/26"),
    _country("MX", 2, "189.128.0.0/11", "187.128.0.0/12"),
    _country("KR", 2, "175.192.0.0/10", "121.128.0.0/10"),
    _country("TR", 1.5, "88.224.0.0/11", "78.160.0.0/11"),
    _country("CH", 1.5, "85.0.0.0/13", "2a02:1200::/27"),
    _country("BE", 1.5, "81.240.0.0/13", "91.176.0.0/13", "2a02:a000::/26"),
    _country("AT", 1.2, "80.108.0.0/15", "93.82.0.0/15", "2001:870::/29"),
    _country("ID", 1.2, "36.64.0.0/11"),
    _country("AR", 1, "190.16.0.0/14", "181.44.0.0/14"),
    _country("DK", 1, "80.160.0.0/14", "87.48.0.0/13"),
    _country("NO", 1, "84.208.0.0/13", "2a01:798::/32"),
    _country("FI", 1, "88.192.0.0/14", "91.152.0.0/13"),
    _country("IE", 1, "86.40.0.0/13", "2001:bb6::/32"),
    _country("PT", 1, "85.240.0.0/13", "2001:8a0::/32"),
    _country("ZA", 1, "105.0.0.0/12", "41.0.0.0/11", "2c0f:f4c0::/32"),
    _country("NG", 0.8, "105.112.0.0/12"),
    _country("PH", 0.8, "49.144.0.0/13"),
    _country("VN", 0.8, "14.160.0.0/11", "113.160.0.0/11"),
    _country("CZ", 0.8, "88.100.0.0/14"),
    _country("RO", 0.7, "86.120.0.0/13"),
    _country("GR", 0.6, "79.128.0.0/14", "2a02:580::/29"),
    _country("IL", 0.6, "79.176.0.0/13", "84.108.0.0/14"),
    _country("AE", 0.6, "94.200.0.0/13", "2001:8f8::/32"),
    _country("SG", 0.6, "116.86.0.0/15"),
    _country("MY", 0.6, "175.136.0.0/13", "2001:e68::/32"),
    _country("TH", 0.6, "171.96.0.0/13", "2001:fb1::/32"),
    _country("CL", 0.5, "190.160.0.0/14", "181.72.0.0/14"),
    _country("CO", 0.5, "190.24.0.0/14", "181.48.0.0/13"),
    _country("NZ", 0.5, "122.56.0.0/14"),
    _country("UA", 0.5, "178.92.0.0/14"),
    _country("EG", 0.4, "41.32.0.0/12", "197.32.0.0/11"),
    _country("KE", 0.3, "105.160.0.0/13"),
)
_CUMULATIVE_WEIGHTS: Final = tuple(accumulate(country.weight for country in COUNTRIES))
_IPV6_SHARE: Final = 0.35


def draw_country(rng: Random) -> Country:
    """A random country, by weight."""
    return draw(rng, COUNTRIES, _CUMULATIVE_WEIGHTS)


def draw_address(rng: Random, country: Country) -> str:
    """A random home or mobile address in the country."""
    ipv6 = bool(country.ipv6) and rng.random() < _IPV6_SHARE
    return draw_from(rng, rng.choice(country.ipv6) if ipv6 else rng.choice(country.ipv4))


def draw_from(rng: Random, block: Block) -> str:
    """A random address in the block, never the first or last of a /24."""
    first = int(block.network_address)
    if isinstance(block, IPv6Network):
        network = rng.randrange(first >> 64, (first + block.num_addresses) >> 64)
        return str(IPv6Address(network << 64 | rng.getrandbits(64)))
    subnet = rng.randrange(first, first + block.num_addresses, 256)
    return str(IPv4Address(subnet + rng.randint(1, 254)))
