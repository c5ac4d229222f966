"""A proxy that serves a site under a path that the site does not know: what `proxy_pass …/;` of nginx does."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread

_CHUNK_BYTES = 1 << 16


@contextmanager
def stripping(path: str, port: int) -> Iterator[str]:
    """Serve what `port` serves at `/` under `path` ("/shop"), while the block runs. Gives the URL without a slash."""

    class Connection(BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection(("127.0.0.1", port)) as site:
                answering = Thread(target=_pump, args=(site, self.request))
                answering.start()
                # The target of a request stands in its first line, after the method; requests are less than a chunk.
                _pump(self.request, site, f" {path}/".encode(), b" /")
                answering.join()

    class Server(ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", 0), Connection) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}{path}"
        server.shutdown()


def _pump(source: socket.socket, target: socket.socket, what: bytes = b"", instead: bytes = b"") -> None:
    with suppress(OSError):
        while chunk := source.recv(_CHUNK_BYTES):
            target.sendall(chunk.replace(what, instead, 1) if what else chunk)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
