"""The country of an address, and which texts are not addresses."""

import re

import pycountry
import pytest

from services.enrich.attributes.country import Allocations, Countries, country_name, public_address
from shared.events.limits import FIELD_LIMITS, Limits, Text

country_of = Countries(Allocations()).by_ip.__getitem__


@pytest.mark.parametrize(
    ("ip", "country"),
    [
        ("8.8.8.8", "United States"),
        ("81.2.69.142", "United Kingdom"),
        ("2001:4860:4860::8888", "United States"),
        ("2001:4860:4860:0000:0:0:0:8888", "United States"),
        ("2001:4860:4860::8.8.8.8", "United States"),
        ("::ffff:81.2.69.142", "United Kingdom"),
        ("::FFFF:5102:458E", "United Kingdom"),
    ],
)
def test_country_of_a_public_address(ip: str, country: str) -> None:
    assert country_of(ip) == country


@pytest.mark.parametrize(
    "ip",
    [
        None,
        "",
        "-",
        "unknown",
        "8.8.8.8:443",
        "[2001:4860:4860::8888]",
        "[2001:4860:4860::8888]:443",
        "8.8.8.8, 10.0.0.1",
        "8.8.8",
        "8.8",
        "134744072",
        "0x08080808",
        "08.8.8.8",
        "8.8.8.8/32",
        " 8.8.8.8",
        "8.8.8.8\n",
        "8.8.8.256",
        "٨.٨.٨.٨",
        "fe80::1%eth0",
        "2001:4860:4860::8888%1",
        "8" * 100_000,
    ],
)
def test_text_that_is_not_a_plain_address_has_no_country(ip: str | None) -> None:
    assert country_of(ip) == "Unknown"


@pytest.mark.parametrize(
    "ip",
    [
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "127.0.0.1",
        "0.0.0.0",
        "100.64.0.1",
        "169.254.1.1",
        "192.0.2.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:10.0.0.1",
        "fc00::1",
        "fe80::1",
        "ff02::1",
        "2001:db8::1",
    ],
)
def test_private_and_reserved_addresses_have_no_country(ip: str) -> None:
    assert country_of(ip) == "Unknown"


# fmt: off
COMMON_NAMES = {
    "BN": "Brunei", "BO": "Bolivia", "CD": "DR Congo", "CG": "Republic of the Congo", "CV": "Cape Verde",
    "CZ": "Czechia", "DE": "Germany", "FM": "Micronesia", "GB": "United Kingdom", "HK": "Hong Kong", "IR": "Iran",
    "KP": "North Korea", "KR": "South Korea", "LA": "Laos", "MD": "Moldova", "MF": "Saint Martin", "MM": "Myanmar",
    "PS": "Palestine", "RU": "Russia", "SX": "Sint Maarten", "SY": "Syria", "TR": "Türkiye", "TW": "Taiwan",
    "TZ": "Tanzania", "US": "United States", "VA": "Vatican City", "VE": "Venezuela", "VN": "Vietnam",
    "XK": "Kosovo", "??": "Unknown",
}
# fmt: on


@pytest.mark.parametrize(("code", "name"), COMMON_NAMES.items())
def test_countries_have_their_common_english_name(code: str, name: str) -> None:
    assert country_name(code) == name


def test_no_country_has_a_name_from_the_official_list() -> None:
    names = [country_name(country.alpha_2) for country in pycountry.countries]
    assert len(set(names)) == len(names)
    official = re.compile(r",|\b(?:Republic|State|States|Federation|Darussalam) of|Federation|Darussalam|\(")
    kept = {"Republic of the Congo", "Cocos (Keeling) Islands"}  # these are what people say
    assert [name for name in names if official.search(name) and name not in kept] == []


@pytest.mark.parametrize(
    ("ip", "address"),
    [
        ("8.8.8.8", "8.8.8.8"),
        ("::ffff:8.8.8.8", "8.8.8.8"),
        ("2001:4860:4860:0:0:0:0:8888", "2001:4860:4860:0:0:0:0:8888"),
        ("::ffff:10.0.0.1", None),
        ("10.0.0.1", None),
        ("8.8.8.8:80", None),
    ],
)
def test_mapped_public_address_becomes_ipv4(ip: str, address: str | None) -> None:
    assert public_address(ip) == address


class CountingCodes:
    """Gives each address the current code."""

    def __init__(self) -> None:
        self.code = "DE"
        self.asked = 0
        self.is_changed = False

    def code_of(self, address: str) -> str | None:  # noqa: ARG002 - one code for all
        self.asked += 1
        return self.code

    def refresh(self) -> bool:
        return self.is_changed


def test_asks_for_a_code_once_per_address_until_codes_change() -> None:
    codes = CountingCodes()
    countries = Countries(codes)
    assert [countries.by_ip["8.8.8.8"] for _ in range(3)] == ["Germany"] * 3
    countries.refresh()
    assert countries.by_ip["8.8.8.8"] == "Germany"
    assert codes.asked == 1
    codes.code, codes.is_changed = "FR", True
    countries.refresh()
    assert countries.by_ip["8.8.8.8"] == "France"


def test_never_asks_for_the_code_of_a_non_public_address() -> None:
    codes = CountingCodes()
    assert Countries(codes).by_ip["10.0.0.1"] == Countries(codes).by_ip["8.8.8.8:80"] == "Unknown"
    assert codes.asked == 0


def test_only_names_of_uninhabited_islands_take_events_to_the_slow_decoder() -> None:
    """Text outside ASCII next to a name leaves it a fourth of its limit: see `shared.events.limits.within`."""
    row = FIELD_LIMITS["country"]
    assert isinstance(row, Text)
    names = {country_name(country.alpha_2) for country in pycountry.countries}
    assert {name for name in names if len(name) > row.bytes(Limits()) // 4} == {
        "Heard Island and McDonald Islands",
        "South Georgia and the South Sandwich Islands",
    }
