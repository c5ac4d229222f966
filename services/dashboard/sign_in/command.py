"""`clickpulse hash-password` and `clickpulse share`: what an operator needs for signing in."""

import sys
import time
from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from collections.abc import Sequence
from datetime import UTC, datetime
from getpass import getpass
from typing import Final, get_args
from urllib.parse import parse_qs, urlencode

from services.dashboard.sign_in import pages
from services.dashboard.sign_in.access import SITE, Role
from services.dashboard.sign_in.methods import BySharedLink
from services.dashboard.sign_in.passwords import LEAST_CHARACTERS, MOST_CHARACTERS, hashed
from services.dashboard.sign_in.secret_files import signing_key
from services.dashboard.sign_in.settings import SignInSettings
from services.dashboard.sign_in.tokens import Signer
from shared.runtime.settings import CONFIGURATION_ERROR_EXIT_CODE, ConfigurationError, read_settings
from shared.runtime.settings_help import settings_help

_EXIT_CODES: Final = "Exit codes: 0 printed, 2 wrong option or setting."
_MOST_HOURS: Final = 24 * 366


def hash_password(argv: Sequence[str]) -> int:
    """Ask for a password and print its line for DASHBOARD_PASSWORD_FILE; returns the exit code."""
    parser = ArgumentParser(
        prog="clickpulse hash-password",
        description="Print the line of a role for DASHBOARD_PASSWORD_FILE. Asks for the password, or reads it from "
        "standard input.",
        epilog=f"Example: clickpulse hash-password analyst >> dashboard.passwords\n\n{_EXIT_CODES}",
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("role", choices=get_args(Role), help="analyst sees everything; viewer no single visitors")
    role = parser.parse_args(argv).role
    password = _asked() if sys.stdin.isatty() else sys.stdin.readline(2 * MOST_CHARACTERS).rstrip("\r\n")
    if password is None:
        return _complain("the two passwords differ")
    if not LEAST_CHARACTERS <= len(password) <= MOST_CHARACTERS:
        return _complain(f"expected a password of {LEAST_CHARACTERS} to {MOST_CHARACTERS} characters")
    sys.stdout.write(f"{role}:{hashed(password)}\n")
    return 0


def share(argv: Sequence[str]) -> int:
    """Print a link to one page; returns the exit code."""
    parser = ArgumentParser(
        prog="clickpulse share",
        description="Print a link that opens one page of the dashboard without signing in, with a viewer's rights.\n"
        "To end all links at once, delete DASHBOARD_SECRET_FILE and restart the dashboard.",
        epilog=f"{settings_help(SignInSettings)}\n\n{_EXIT_CODES}",
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "page", metavar="PAGE", type=_page, help="live, explore or operations, with choices as in its address: "
        "'explore?window=15+min'. The link opens the site that it has been made for, of=Shop, or the first one",
    )  # fmt: skip
    parser.add_argument("--hours", type=_hours, default=24.0, help="hours until the link ends (default 24)")
    options = parser.parse_args(argv)
    settings = read_settings(SignInSettings)
    if not settings.has_sign_in:
        raise ConfigurationError("DASHBOARD_AUTH: without sign-in a page's own address opens it, so share that")
    if settings.dashboard_secret_file is None:
        raise ConfigurationError("DASHBOARD_SECRET_FILE: required, as it signs the link")
    if settings.public_url is None:
        raise ConfigurationError("DASHBOARD_URL: required, because the link starts with it")
    path, _, query = options.page.partition("?")
    now_s = time.time()
    (of,) = parse_qs(query).get(SITE, [""])[-1:]
    token = BySharedLink(Signer(signing_key(settings.dashboard_secret_file))).link(path, options.hours, now_s, of)
    choices = f"{query}&" if query else ""
    sys.stdout.write(f"{settings.public_url}/{path}?{choices}{urlencode({pages.SHARE: token})}\n")
    until = datetime.fromtimestamp(now_s + options.hours * 3600, UTC)
    sys.stderr.write(f"opens {pages.TITLES[path]} until {until:%Y-%m-%d %H:%M} UTC\n")
    return 0


def _page(text: str) -> str:
    name, mark, query = text.partition("?")
    path = pages.page_of(name)
    wanted = f"{path}{mark}{query}"
    if path is None or pages.read_next(wanted) != (wanted if query else path):
        raise ArgumentTypeError(f"expected live, explore or operations, got {text!r}")
    return wanted


def _hours(text: str) -> float:
    try:
        hours = float(text)
    except ValueError:
        hours = 0.0
    if not 0 < hours <= _MOST_HOURS:
        raise ArgumentTypeError(f"expected hours, more than 0 and at most {_MOST_HOURS}, got {text!r}")
    return hours


def _asked() -> str | None:
    """The password that was typed twice; None if they differ."""
    first = getpass(f"Password ({LEAST_CHARACTERS} characters or more): ")
    return first if getpass("Again: ") == first else None


def _complain(text: str) -> int:
    sys.stderr.write(f"clickpulse hash-password: {text}\n")
    return CONFIGURATION_ERROR_EXIT_CODE
