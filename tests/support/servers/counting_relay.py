"""A relay that counts the bytes of every connection: what really passes, compressed as it is."""

import socket
import socketserver
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Thread


@dataclass(slots=True)
class Traffic:
    """Bytes that passed a relay."""

    down: int = 0
    up: int = 0


@contextmanager
def relaying(port: int) -> Iterator[tuple[int, Traffic]]:
    """Relay a free loopback port to `port` and count what passes."""
    traffic = Traffic()

    class Connection(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection(("127.0.0.1", port)) as server:
                upward = Thread(target=_pump, args=(self.request, server, traffic, "up"), daemon=True)
                upward.start()
                _pump(server, self.request, traffic, "down")
                upward.join()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Connection) as relay:
        relay.daemon_threads = True
        relay.block_on_close = False
        Thread(target=relay.serve_forever, name="relay", daemon=True).start()
        try:
            yield relay.server_address[1], traffic
        finally:
            relay.shutdown()


def _pump(source: socket.socket, sink: socket.socket, traffic: Traffic, way: str) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            setattr(traffic, way, getattr(traffic, way) + len(data))
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
