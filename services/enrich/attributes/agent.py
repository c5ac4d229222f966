"""The device type, browser and operating system of a user agent, found together and cached."""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from services.enrich.attributes.device import LONGEST_USER_AGENT, device_type_of, parser
from services.enrich.lookups.lru import LruCache
from shared.events.agents import BROWSERS, OPERATING_SYSTEMS, OTHER, PROGRAMS

CACHE_ENTRIES: Final = 32_768

_BROWSERS: Final = frozenset(BROWSERS)
_LINUXES: Final = (
    "Arch Linux", "CentOS", "Debian", "Fedora", "Gentoo", "Kubuntu", "Linux Mint", "Lubuntu", "Mageia", "PCLinuxOS",
    "Puppy", "Red Hat", "SUSE", "Slackware", "Ubuntu", "openSUSE",
)  # fmt: skip
_CHROMECASTS: Final = ("Chromecast Android", "Chromecast Fuchsia", "Chromecast Linux", "Chromecast SmartSpeaker")
_SYSTEMS: Final[Mapping[str, str]] = (
    {system: system for system in OPERATING_SYSTEMS}
    | dict.fromkeys(_LINUXES, "Linux")
    | dict.fromkeys(_CHROMECASTS, "Chromecast")
    | dict.fromkeys(("Symbian^3", "Symbian^3 Anna", "Symbian^3 Belle"), "Symbian OS")
    | {"ATV OS X": "tvOS", "BlackBerry Tablet OS": "BlackBerry OS", "Mac OS": "macOS", "Mac OS X": "macOS"}
    | {"WatchOS": "watchOS", "Web0S": "webOS", "Windows Mobile": "Windows Phone"}
)
"""Names for the families of ua-parser."""
_PROGRAM: Final = re.compile("|".join(map(re.escape, PROGRAMS)))


class Agent(NamedTuple):
    """What a user agent says about itself: one of DEVICE_TYPES, of BROWSERS and of OPERATING_SYSTEMS."""

    device_type: str = OTHER
    browser: str = OTHER
    operating_system: str = OTHER


def agent_of(user_agent: str | None) -> Agent:
    """Everything that is found in a user agent; Other where it is absent or unknown."""
    if not user_agent:
        return Agent()
    if len(user_agent) > LONGEST_USER_AGENT:
        return agents[user_agent[:LONGEST_USER_AGENT]]
    browser, system = parser.parse_user_agent(user_agent), parser.parse_os(user_agent)
    family = browser.family if browser is not None else OTHER
    if family not in _BROWSERS:
        program = _PROGRAM.search(user_agent)  # ua-parser takes the word before "bot" in an address for its name
        family = program.group() if program is not None else OTHER
    return Agent(
        device_type_of(user_agent), family, _SYSTEMS.get(system.family, OTHER) if system is not None else OTHER
    )


agents: Final[LruCache[str | None, Agent]] = LruCache(agent_of, CACHE_ENTRIES, LONGEST_USER_AGENT)
"""By user agent."""
