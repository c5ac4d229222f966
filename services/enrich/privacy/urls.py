"""URLs without what may identify a visitor: parameters, fragments, logins, e-mail addresses and tokens. Pure.

`docs/enrichment.md` states the rules. A clean URL stays as it is, byte for byte.
"""

import re
from collections.abc import Iterable
from fnmatch import translate
from typing import Final
from urllib.parse import unquote

from services.enrich.lookups.lru import LruCache
from shared.events.click_ids import CLICK_IDS
from shared.events.limits import MARKER

EMAIL: Final = "[email]"
TOKEN: Final = "[token]"  # noqa: S105 - stands for one

CACHE_ENTRIES: Final = 32_768
LONGEST_CACHED: Final = 512  # characters

_PART_ENTRIES: Final = 8_192
_LONGEST_PART: Final = 128  # characters
_TOKEN_CHARACTERS: Final = 16
_LEAST_WORD: Final = 6
_ENCODED_TIMES: Final = 3  # a link in a link's parameter is percent-encoded once more each time
_AT_SIGNS: Final = str.maketrans("\uff20\ufe6b", "@@")  # full width, small
_MARK: Final = re.compile(r"[?#@%&;\\\uff20\ufe6b]")  # a URL without one has only a host and path

_AUTHORITY: Final = re.compile(r"((?:[A-Za-z][A-Za-z0-9+.-]*:)?[/\\]{2,})([^/\\]*)")
_SEPARATOR: Final = re.compile(r"([/\\])")
_PARAMETER_SEPARATOR: Final = re.compile(r"[&;]")
_EMAIL: Final = re.compile(r"[^\s@]@")  # `/@name` is a page, and `/@52.5,13.4` a place
_HIDDEN: Final = re.compile(r"[?&;#][^=]*=")  # parameters in a part that should have none
_WORD: Final = re.compile(r"[A-Za-z0-9]+")
_UUID: Final = re.compile(r"(?i:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")
_MAYBE_TOKEN: Final = re.compile(r"[0-9](?:[A-Za-z]|(?<=[A-Za-z].)|[0-9]{11})")
_MIXED: Final = re.compile(r"[0-9]+[A-Za-z]|[A-Za-z]+[0-9]")


class UrlCleaner:
    """Cleans URLs, URL references, and whatever else is sent in their place."""

    def __init__(self, parameters: Iterable[str], longest: int) -> None:
        """`parameters` are the names of the parameters to keep; `*` stands for any characters.

        Of click ids the names are kept, without values.
        `longest` is how many characters are read, as half an address or token could not be recognised.
        """
        self._longest = longest
        patterns = [translate(name) for name in parameters]
        self._kept = re.compile("|".join(patterns) or r"(?!)")
        self._is_kept = LruCache(self._keeps, _PART_ENTRIES, _LONGEST_PART)

    def clean(self, url: str) -> str:
        """The URL with only the parameters to keep, and masks in place of e-mail addresses and tokens."""
        if len(url) > self._longest:
            return self._clean_beginning(url)
        if _MARK.search(url) is None and _MAYBE_TOKEN.search(url) is None:
            return url
        whole, _, _ = url.partition("#")
        path, _, query = whole.partition("?")
        path, may_hide_host = _clean_paths[path]
        parts = _PARAMETER_SEPARATOR.split(query) if ";" in query else query.split("&")
        parameters = [part for part in map(self._clean_parameter, parts) if part]
        cleaned = path + ("?" + "&".join(parameters) if parameters else "")
        return self.clean(cleaned) if may_hide_host else cleaned

    def _clean_beginning(self, url: str) -> str:
        """The whole parts within the limit. A path that goes on ends with a marker."""
        beginning = url[: max(0, *(url.rfind(mark, 0, self._longest) for mark in "/\\?&;#"))]
        is_path_cut = not any(mark in url[: self._longest] for mark in "?#")
        return self.clean(beginning) + ("/" + MARKER if is_path_cut else "")

    def _clean_parameter(self, parameter: str) -> str | None:
        name, equals, value = parameter.partition("=")
        if self._is_kept[name]:
            return f"{name}{equals}{_masks[value]}"
        return name if name.lower() in CLICK_IDS else None  # that there is one, not which

    def _keeps(self, name: str) -> bool:
        # `*` in a name to keep matches an address as well.
        return self._kept.match(unquote(name)) is not None and _masked(name) == name


def _clean_path(path: str) -> tuple[str, bool]:
    """The cleaned URL up to its query, and whether that must be cleaned again.

    Without its own parameters a part may have become the beginning of a host: `http:;=//ada@example.com`.
    """
    start, rest = _without_login(path)
    rest = "".join(part if part in ("/", "\\") else _clean_segment(part) for part in _SEPARATOR.split(rest))
    return start + rest, not start and _AUTHORITY.match(rest) is not None


def _without_login(path: str) -> tuple[str, str]:
    """What comes before the path, without `user:password@`, and the path."""
    found = _AUTHORITY.match(path)
    if found is None:
        return "", path
    slashes, authority = found.groups()
    host = authority.rpartition("@")[2]
    return slashes + (EMAIL if "@" in _decoded(host) else host), path[found.end() :]


def _clean_segment(segment: str) -> str:
    """A part of a path between slashes, without its own parameters, such as `;jsessionid=…`."""
    name, _, rest = segment.partition(";")
    return _masked(name if "=" in rest else segment)


def _masked(text: str) -> str:
    decoded = _decoded(text)
    if "@" in decoded and _EMAIL.search(decoded):
        return EMAIL
    return TOKEN if _HIDDEN.search(decoded) or is_token(decoded) else text


# A new click id makes a new URL of a path and parameters that are known.
_clean_paths: Final[LruCache[str, tuple[str, bool]]] = LruCache(_clean_path, _PART_ENTRIES, _LONGEST_PART)
_masks: Final[LruCache[str, str]] = LruCache(_masked, _PART_ENTRIES, _LONGEST_PART)


def _decoded(text: str) -> str:
    for _ in range(_ENCODED_TIMES):
        if "%" not in text:
            break
        text = unquote(text)
    return text if text.isascii() else text.translate(_AT_SIGNS)


def is_token(text: str) -> bool:
    """Whether the text looks like a key that somebody was given: a session, a reset link, an account.

    It does when it contains a UUID or a number of 16 digits or more, or when its words that mix letters and digits, of
    six characters or more, have 16 characters together. A word is letters and digits in a row.
    """
    if len(text) < _TOKEN_CHARACTERS or _MAYBE_TOKEN.search(text) is None:
        return False
    if _UUID.search(text):
        return True
    mixed = 0
    for word in _WORD.findall(text):
        if len(word) >= _LEAST_WORD and _MIXED.match(word):
            mixed += len(word)
        elif len(word) >= _TOKEN_CHARACTERS and word.isdigit():
            return True
    return mixed >= _TOKEN_CHARACTERS
