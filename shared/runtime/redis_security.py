"""The login and the certificates of a Redis, put into its URL as redis-py reads it."""

from urllib.parse import parse_qs, quote, urlencode, urlsplit, urlunsplit

from shared.runtime.certificates import lonely_certificate, missing_files, unusable_ca, unusable_certificate
from shared.runtime.redis_url import SENTINEL_SCHEMES, problem_of


def secured_url(
    url: str,
    *,
    username: str | None,
    password: str | None,
    ca_location: str | None,
    certificate_location: str | None,
    key_location: str | None,
    sentinel_username: str | None = None,
    sentinel_password: str | None = None,
) -> str:
    """The URL with the login and the certificates. The same call again changes nothing.

    Raises ValueError with one complaint per variable that contradicts the others, as `VARIABLE: …`, without secrets.
    """
    if (problem := problem_of(url)) is not None:
        raise ValueError(f"REDIS_URL: {problem}")
    found = [
        *_login_complaints(url, username, password),
        *_sentinel_complaints(url, sentinel_username, sentinel_password),
        *_file_complaints(url, ca_location, certificate_location, key_location),
    ]
    if found:
        raise ValueError("\n".join(found))
    options = {
        "ssl_ca_certs": ca_location,
        "ssl_certfile": certificate_location,
        "ssl_keyfile": key_location,
        "sentinel_username": sentinel_username,
        "sentinel_password": sentinel_password,
    }
    given = {name: text for name, text in options.items() if text is not None}
    if username is None and password is None and not given:
        return url  # untouched, with whatever only redis-py understands
    parts = urlsplit(url)
    _, _, place = parts.netloc.rpartition("@")
    login, _, _ = parts.netloc.rpartition("@")
    if username is not None or password is not None:
        login = f"{quote(username or '', safe='')}:{quote(password or '', safe='')}"
    query = {**{name: texts[-1] for name, texts in parse_qs(parts.query).items()}, **given}
    return urlunsplit(parts._replace(netloc=f"{login}@{place}" if login else place, query=urlencode(query)))


def _login_complaints(url: str, username: str | None, password: str | None) -> list[str]:
    if username is not None and password is None:
        return ["REDIS_USERNAME: is set, but REDIS_PASSWORD is not; set both, or only the password"]
    if password is None:
        return []
    parts = urlsplit(url)
    in_url = (parts.username or None, parts.password)
    ours = (username and quote(username, safe=""), quote(password, safe=""))
    if parts.password is not None and in_url != ours:
        return ["REDIS_PASSWORD: is set, but REDIS_URL has another login; set one of them"]
    return []


def _sentinel_complaints(url: str, username: str | None, password: str | None) -> list[str]:
    if username is not None and password is None:
        return ["REDIS_SENTINEL_USERNAME: is set, but REDIS_SENTINEL_PASSWORD is not; set both, or only the password"]
    if password is not None and urlsplit(url).scheme not in SENTINEL_SCHEMES:
        return ["REDIS_SENTINEL_PASSWORD: is set, but REDIS_URL names no Sentinel; expected redis+sentinel://"]
    return []


def _file_complaints(
    url: str, ca_location: str | None, certificate_location: str | None, key_location: str | None
) -> list[str]:
    files = {
        "REDIS_SSL_CA_LOCATION": ca_location,
        "REDIS_SSL_CERTIFICATE_LOCATION": certificate_location,
        "REDIS_SSL_KEY_LOCATION": key_location,
    }
    given = {name: path for name, path in files.items() if path is not None}
    if not url.startswith("rediss"):
        return [f"{name}: is set, but REDIS_URL is not encrypted; expected rediss://" for name in given]
    pair = ("REDIS_SSL_CERTIFICATE_LOCATION", certificate_location, "REDIS_SSL_KEY_LOCATION", key_location)
    return [
        *missing_files(given),
        *unusable_ca("REDIS_SSL_CA_LOCATION", ca_location, may_be_folder=False),
        *lonely_certificate(*pair),
        *unusable_certificate(*pair),
    ]
