"""REDIS_URL: what is wrong with one, and what it names. Pure. No message contains a login."""

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final
from urllib.parse import parse_qs, unquote, urlencode, urlsplit, urlunsplit

SENTINEL_SCHEMES: Final = ("redis+sentinel", "rediss+sentinel")
SCHEMES: Final = ("redis", "rediss", "unix", *SENTINEL_SCHEMES)
_SENTINEL_PORT: Final = 26_379
_REDIS_PORT: Final = 6_379
_MOST_PORT: Final = 65_535
_SENTINEL_LOGIN: Final = ("sentinel_username", "sentinel_password")
_NAME: Final = re.compile(r"[\w.-]+")
_ESCAPING: Final = "in a password, write / # ? [ @ as %2F %23 %3F %5B %40, or set REDIS_PASSWORD"


@dataclass(frozen=True, slots=True)
class SentinelPlace:
    """A master and the Sentinels that know where it is."""

    sentinels: list[tuple[str, int]]
    master: str
    data_url: str
    """A redis:// URL with the login, database and options of the master's server; its host means nothing."""
    username: str | None
    """Of the Sentinels, as is `password`."""
    password: str | None


def problem_of(url: str) -> str | None:
    """What was expected, and what is wrong with the URL; None if nothing is."""
    scheme, _, _ = url.partition("://")
    if "://" not in url or scheme not in SCHEMES:
        return f"expected {_expected('redis')}; it does not begin with {', '.join(f'{name}://' for name in SCHEMES)}"
    found = _structural_problem(url, scheme) or _option_problem(url, scheme)
    return None if found is None else f"expected {_expected(scheme)}; it {found}; {_ESCAPING}"


def _expected(scheme: str) -> str:
    if scheme == "unix":
        return "unix://[user:password@]/path?db=0, for example REDIS_URL=unix:///run/redis.sock?db=0"
    if scheme in SENTINEL_SCHEMES:
        form = "[user:password@]host:port[,host:port]/master/db"
        return f"{scheme}://{form}, for example REDIS_URL={scheme}://sentinel:26379/mymaster/0"
    return f"{scheme}://[user:password@]host:port/db, for example REDIS_URL={scheme}://redis:6379/0"


def redis_address(redis_url: str) -> str:
    """The host and port of the URL, its socket, or its master and Sentinels, for messages. Contains no login."""
    parts = urlsplit(redis_url)
    if parts.scheme == "unix":
        return parts.path
    if parts.scheme in SENTINEL_SCHEMES:
        _, _, places = parts.netloc.rpartition("@")
        return f"{parts.path.split('/')[1]} through Sentinel at {places}"
    return f"{parts.hostname or '127.0.0.1'}:{parts.port or _REDIS_PORT}"


def sentinel_of(url: str) -> SentinelPlace:
    """What a redis+sentinel:// URL without a problem names."""
    parts = urlsplit(url)
    login, at, places = parts.netloc.rpartition("@")
    _, master, *database = parts.path.split("/")
    options = {name: texts[-1] for name, texts in parse_qs(parts.query).items()}
    username, password = options.pop("sentinel_username", None), options.pop("sentinel_password", None)
    data_url = urlunsplit(
        (parts.scheme.partition("+")[0], f"{login}{at}redis", "/".join(["", *database]), urlencode(options), "")
    )
    return SentinelPlace(_places(places), unquote(master), data_url, username, password)


def host_problem(place: str, *, is_port_needed: bool = False) -> str | None:
    """What is wrong with `host:port`, `host`, or an IPv6 address in brackets; None if nothing is."""
    host, port = _split(place)
    if place.startswith("["):
        try:
            ip_address(host.partition("%")[0])
        except ValueError:
            return "an IPv6 address that cannot be read"
    elif ":" in host or not _NAME.fullmatch(host):
        return "a host that cannot be one"
    if port is None and place.endswith(":"):
        return "no port after the colon"
    if port is None:
        return "no port" if is_port_needed else None
    if not (port.isascii() and port.isdigit() and 1 <= int(port) <= _MOST_PORT):
        return "a port that is not one from 1 to 65535"
    return None


def _structural_problem(url: str, scheme: str) -> str | None:
    try:
        parts = urlsplit(url)
    except ValueError:
        return "cannot be read"
    if "#" in url or ("@" not in parts.netloc and "@" in parts.path + parts.query):
        return "cannot be read"
    _, _, place = parts.netloc.rpartition("@")
    if scheme == "unix":
        return None if parts.path.strip("/") else "names no socket"
    if scheme in SENTINEL_SCHEMES:
        return _sentinel_problem(place, parts.path)
    wrong = host_problem(f"localhost{place}" if place.startswith(":") or not place else place)
    if wrong is not None:
        return f"has {wrong}"
    database = unquote(parts.path).removeprefix("/")
    return None if _is_number(database) else "has something else than a number, such as /0, after the host"


def _sentinel_problem(place: str, path: str) -> str | None:
    for sentinel in place.split(","):
        if (wrong := host_problem(sentinel)) is not None:
            return f"has {wrong}"
    master, _, database = path.removeprefix("/").partition("/")
    if not master:
        return "names no master"
    return None if _is_number(database) else "has something else than a number, such as /0, after the master"


def _is_number(database: str) -> bool:
    return not database or (database.isascii() and database.isdigit())


def _option_problem(url: str, scheme: str) -> str | None:
    for name, texts in parse_qs(urlsplit(url).query, keep_blank_values=True).items():
        if name in _SENTINEL_LOGIN and scheme in SENTINEL_SCHEMES:
            continue
        if not _is_option(scheme.partition("+")[0], name, texts[0]):
            # What follows a question mark may be the rest of a password, so it is not shown.
            return "has an unknown or wrong option after the question mark"
    return None


def _is_option(scheme: str, name: str, value: str) -> bool:
    # Imported here, because only a URL with options needs it.
    from redis.connection import Connection, SSLConnection, UnixDomainSocketConnection, parse_url
    from redis.exceptions import RedisError

    kinds = {"redis": Connection, "rediss": SSLConnection, "unix": UnixDomainSocketConnection}
    place = "/socket" if scheme == "unix" else "redis:6379/0"
    try:
        chosen = parse_url(f"{scheme}://{place}?{urlencode({name: value})}")
        for ours in ("connection_class", "max_connections", "timeout"):
            chosen.pop(ours, None)
        kinds[scheme](**chosen)
    except (TypeError, ValueError, RedisError):
        return False
    return True


def _places(text: str) -> list[tuple[str, int]]:
    return [(host, int(port or _SENTINEL_PORT)) for host, port in map(_split, text.split(","))]


def _split(place: str) -> tuple[str, str | None]:
    """The host without brackets, and the port."""
    if place.startswith("["):
        host, _, rest = place[1:].partition("]")
        return host, rest.removeprefix(":") or None if rest.startswith(":") or not rest else f"{rest}?"
    host, _, port = place.rpartition(":") if ":" in place else (place, "", "")
    return host, port or None
