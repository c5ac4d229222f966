"""Ports of this machine: which are free."""

import socket
from typing import Final

_TRIED: Final = 100
_CONNECT_SECONDS: Final = 1.0


class NoFreePort(Exception):  # noqa: N818 - a state of the machine
    """None of the ports that were tried is free."""


def is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1:`port` now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as caller:
        caller.settimeout(_CONNECT_SECONDS)
        # Not every system refuses the bind below while another server listens on all addresses.
        if caller.connect_ex(("127.0.0.1", port)) == 0:
            return False
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def first_free(port: int) -> int:
    """`port`, or the next one above it that is free. Raises NoFreePort."""
    last = min(port + _TRIED, 65_536)
    for candidate in range(port, last):
        if is_free(candidate):
            return candidate
    raise NoFreePort(f"no port from {port} to {last - 1} of 127.0.0.1 is free")
