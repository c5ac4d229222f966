"""Finds free ports on this machine."""

import socket
from collections.abc import Container
from typing import Final

_TRIED: Final = 100
_CONNECT_SECONDS: Final = 1.0


class NoFreePort(Exception):  # noqa: N818 - a state of the machine
    """All ports that were tried are in use."""


def is_free(port: int) -> bool:
    """Whether a server could now listen on 127.0.0.1:`port`."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as caller:
        caller.settimeout(_CONNECT_SECONDS)
        # On some systems the bind below succeeds although another server listens on all addresses.
        if caller.connect_ex(("127.0.0.1", port)) == 0:
            return False
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def first_free(port: int, taken: Container[int] = ()) -> int:
    """`port`, or the next free one above it that nobody will have `taken`. Raises NoFreePort."""
    last = min(port + _TRIED, 65_536)
    for candidate in range(port, last):
        if candidate not in taken and is_free(candidate):
            return candidate
    raise NoFreePort(f"ports {port} to {last - 1} of 127.0.0.1 are all in use")
