"""Listening: each failure names the setting that is wrong, and what to write instead."""

import errno
import socket
from collections.abc import Callable

import pytest

from shared.runtime.configuration import ConfigurationError
from shared.runtime.listening import listen


def test_a_taken_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ConfigurationError, match=rf"^SHOP_PORT: port {port} of 127.0.0.1 is in use; .*SHOP_PORT="):
            listen("127.0.0.1", port, "SHOP", example_port=8080)


def test_an_address_of_another_machine_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"^SHOP_ADDRESS: cannot listen on 192\.0\.2\.1: .*=127\.0\.0\.1$"):
        listen("192.0.2.1", 0, "SHOP", example_port=8080)


def test_a_port_that_needs_rights_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "create_server", failing_with(errno.EACCES))
    with pytest.raises(ConfigurationError, match=r"^SHOP_PORT: this user may not listen on port 80; .*SHOP_PORT=8080$"):
        listen("127.0.0.1", 80, "SHOP", example_port=8080)


def failing_with(number: int) -> Callable[..., socket.socket]:
    def fail(*_: object, **__: object) -> socket.socket:
        raise OSError(number, "")

    return fail
