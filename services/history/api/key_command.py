"""`clickpulse api-key`: a new key of the API."""

import re
import sys
from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from collections.abc import Sequence
from typing import Final

from services.history.api.keys import NAME, new_key

_EPILOG: Final = """\
Example: clickpulse api-key grafana >> api_keys.toml

The key goes to standard error, its lines for API_KEYS_FILE, which do not hold it, to standard output.

Exit codes: 0 printed, 2 wrong option."""


def main(argv: Sequence[str]) -> int:
    """Print a key and its lines; returns the exit code."""
    parser = ArgumentParser(
        prog="clickpulse api-key",
        description="Print a new key of history's API, and its lines for API_KEYS_FILE.",
        epilog=_EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", metavar="NAME", type=_name, help="who asks with it, such as grafana")
    key, lines = new_key(parser.parse_args(argv).name)
    sys.stdout.write(lines)
    sys.stdout.flush()
    sys.stderr.write(f"{key}\n")
    return 0


def _name(text: str) -> str:
    if not re.fullmatch(NAME, text):
        raise ArgumentTypeError(f"expected up to 64 letters, digits, dots, dashes or underscores, got {text!r}")
    return text
