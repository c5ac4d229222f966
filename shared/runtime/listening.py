"""Listening on an address and a port that settings name. A failure names the setting, and what to do."""

import errno
import os
import socket
from ipaddress import ip_address

from shared.runtime.configuration import ConfigurationError


def listen(address: str, port: int, settings: str, *, example_port: int, backlog: int | None = None) -> socket.socket:
    """A listening socket. Raises ConfigurationError.

    `settings` begins the names of both: HEALTH stands for HEALTH_ADDRESS and HEALTH_PORT.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        return socket.create_server((address, port), family=family, backlog=backlog)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            problem = f"port {port} of {address} is in use; stop what listens there or choose a free port"
            example = f"{settings}_PORT={port % 65_535 + 1}"
            raise ConfigurationError(f"{settings}_PORT: {problem}, for example {example}") from None
        reason = os.strerror(error.errno) if error.errno else str(error)
        if error.errno == errno.EACCES:
            problem = f"this user may not listen on port {port}; expected one from 1024"
            raise ConfigurationError(
                f"{settings}_PORT: {problem}, for example {settings}_PORT={example_port}"
            ) from None
        problem = f"cannot listen on {address}: {reason}; expected an address of this machine"
        raise ConfigurationError(f"{settings}_ADDRESS: {problem}, for example {settings}_ADDRESS=127.0.0.1") from None


def checked_address(address: str) -> str:
    """The address as it is. Raises ValueError unless it is an IP address."""
    try:
        ip_address(address)
    except ValueError:
        raise ValueError("expected an IP address, such as 127.0.0.1, 0.0.0.0 or ::1") from None
    return address
