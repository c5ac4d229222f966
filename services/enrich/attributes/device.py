"""The device type of a user agent: is-bot for crawlers, ua-parser for systems, and a few extra rules."""

import re
from typing import Final

from ua_parser import Parser
from ua_parser.loaders import load_builtins
from ua_parser.regex import Resolver

from services.enrich.attributes.bots import is_bot

LONGEST_USER_AGENT: Final = 512
"""Characters that are read: the rest adds nothing, and search time grows with length."""

_TV_OR_CONSOLE: Final = re.compile(
    r"(?<![.\w])(?:smart[ -]?|google ?|apple ?|android ?|hbb|net|inet|mi|op|d)?tv(?:\d|\b(?!\.))"
    r"|web0s|netcast|viera|bravia|\broku\b|\bcrkey\b|large screen|chromecast|\bshield android"
    r"|playstation|\bxbox\b|nintendo|\bps vita\b",
    re.IGNORECASE,
)
_FIRE_TV: Final = re.compile(r"; AFT[A-Z0-9]{1,6}\b")  # Amazon's model names
_TABLET: Final = re.compile(
    r"ipad|\btablet\b(?! pc)|\bplaybook\b|\b(?:media|mate|mi|redmi |oppo |honor |one ?plus ?|idea|xiao)pad\b"
    r"|\bgalaxy tab\b|\bsm-[tx]\d|\bkindle\b|\bsilk/(?!.*\bmobile\b)",
    re.IGNORECASE,
)
_ANDROID: Final = re.compile(r"\bandroid\b", re.IGNORECASE)
_PHONE: Final = re.compile(
    r"iphone|ipod|\biph\d|\bios\b|^\[fb(?:an|_iab)/"  # of the last two, apps that name only themselves
    r"|windows (?:phone|ce|mobile)|iemobile|blackberry|\bbb10\b|symbian|nokia|sonyericsson|\bkaios\b"
    r"|\bmidp\b|opera m(?:ini|obi)|ucweb|\bfennec\b|\bphone\b|maemo|meego|\bpalm|webos/",
    re.IGNORECASE,
)
_MOBILE: Final = re.compile(r"\bmobile\b", re.IGNORECASE)
_DESKTOP: Final = re.compile(
    r"macintosh|\bx11\b|\blinux\b|\bwin(?:32|64)\b|\bx86_64\b|konqueror|\bos/2\b|\bbeos\b", re.IGNORECASE
)

_DESKTOP_SYSTEMS: Final = frozenset(
    {"BeOS", "Chrome OS", "Debian", "Fedora", "FreeBSD", "Linux", "Linux Mint", "Mac OS", "Mac OS X", "NetBSD"}
    | {"OpenBSD", "Red Hat", "Solaris", "SUSE", "Ubuntu", "Windows"}
)
_MOBILE_SYSTEMS: Final = frozenset({"BlackBerry OS", "Firefox OS", "iOS", "KaiOS", "Symbian OS", "Windows Phone"})
_PHONE_FAMILIES: Final = frozenset({"Generic Feature Phone", "Generic Smartphone"})

parser = Parser(Resolver(load_builtins()))


def device_type_of(user_agent: str | None) -> str:
    """One of DEVICE_TYPES; "Other" for televisions, consoles and absent or unknown user agents."""
    if not user_agent:
        return "Other"
    if len(user_agent) > LONGEST_USER_AGENT:
        user_agent = user_agent[:LONGEST_USER_AGENT]
    if is_bot(user_agent):
        return "Bot"
    if _TV_OR_CONSOLE.search(user_agent) or _FIRE_TV.search(user_agent):
        return "Other"
    if _TABLET.search(user_agent):
        return "Tablet"
    if _PHONE.search(user_agent):
        return "Mobile"
    is_mobile = _MOBILE.search(user_agent) is not None
    if _ANDROID.search(user_agent):
        # Google's rule for browsers: a phone's user agent has "Mobile", a tablet's does not.
        return "Tablet" if "AppleWebKit" in user_agent and not is_mobile else "Mobile"
    system = parser.parse_os(user_agent)
    device = parser.parse_device(user_agent)
    if (system and system.family in _MOBILE_SYSTEMS) or (device and device.family in _PHONE_FAMILIES):
        return "Mobile"
    if (system and system.family in _DESKTOP_SYSTEMS) or _DESKTOP.search(user_agent):
        return "Desktop"
    return "Mobile" if is_mobile else "Other"
