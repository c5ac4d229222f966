"""Whether a broker that does not answer expects TLS, asked of real sockets."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread

import pytest

from shared.streams.kafka.mismatch import mismatch
from tests.support.servers.certificates import Authority


@contextmanager
def broker(context: ssl.SSLContext | None) -> Iterator[str]:
    """One that speaks TLS if there is a context, and closes every connection after the first bytes."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with suppress(OSError), connection:
                if context is None:
                    connection.recv(100)
                else:
                    context.wrap_socket(connection, server_side=True).close()

    Thread(target=serve, daemon=True).start()
    yield f"127.0.0.1:{listening.getsockname()[1]}"
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()


def test_tls_of_the_broker_is_compared_with_the_setting(tmp_path: Path) -> None:
    certificate = Authority(tmp_path / "ours").certify("127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.chain, certificate.key)
    with broker(context) as encrypted, broker(None) as plain:
        assert mismatch(encrypted, "PLAINTEXT") == (
            f"KAFKA_SECURITY_PROTOCOL=PLAINTEXT, but {encrypted} speaks TLS; expected SSL or SASL_SSL"
        )
        assert "speaks TLS" in (mismatch(f"127.0.0.1:1,{encrypted}", "SASL_PLAINTEXT") or "")
        assert mismatch(encrypted, "SASL_SSL") is None
        assert "closes TLS connections" in (mismatch(plain, "SASL_SSL") or "")
        assert "SASL_PLAINTEXT" in (mismatch(plain, "PLAINTEXT") or "")
        assert mismatch(plain, "SASL_PLAINTEXT") is None


@pytest.mark.parametrize("server", ["127.0.0.1:1", "[::1]:1"])
def test_nothing_is_said_of_a_broker_that_does_not_listen(server: str) -> None:
    assert mismatch(server, "SSL") is None
