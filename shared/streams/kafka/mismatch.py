"""Why a broker that listens does not answer: it expects TLS where the client speaks none, or the reverse.

librdkafka reports neither: to a client without TLS, a broker with it only closes the connection.
"""

import socket
import ssl
from typing import Final

_ANSWER_SECONDS: Final = 1.0
_DEFAULT_PORT: Final = 9092


def mismatch(servers: str, protocol: str) -> str | None:
    """What KAFKA_SECURITY_PROTOCOL should be at the first address that answers; None if nothing says that it is wrong.

    Blocks for up to two seconds.
    """
    for server in servers.split(","):
        host, _, port = server.rpartition(":") if ":" in server.rpartition("]")[2] else (server, "", "")
        speaks_tls = _speaks_tls(host.strip("[]"), int(port or _DEFAULT_PORT))
        if speaks_tls is None:
            continue
        if speaks_tls and not protocol.endswith("SSL"):
            return f"KAFKA_SECURITY_PROTOCOL={protocol}, but {server} speaks TLS; expected SSL or SASL_SSL"
        if not speaks_tls and protocol.endswith("SSL"):
            # So does a proxy, as Docker's, in front of a broker that is still starting.
            says = "closes TLS connections; unless it is starting, expected PLAINTEXT or SASL_PLAINTEXT"
            return f"KAFKA_SECURITY_PROTOCOL={protocol}, but {server} {says}"
        if not protocol.startswith("SASL_"):
            return f"{server} does not answer; if it asks for a login, set KAFKA_SECURITY_PROTOCOL=SASL_{protocol}"
        return None
    return None


def _speaks_tls(host: str, port: int) -> bool | None:
    """None if nobody listens or answers in time."""
    context = ssl.create_default_context()
    context.check_hostname = False  # it only says whether this is TLS
    context.verify_mode = ssl.CERT_NONE
    try:
        connection = socket.create_connection((host, port), _ANSWER_SECONDS)
    except OSError:
        return None
    with connection:
        try:
            context.wrap_socket(connection).close()
        except TimeoutError:
            return None
        except (ssl.SSLError, OSError):
            return False
    return True
