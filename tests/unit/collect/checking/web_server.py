"""A local web server whose answers a test sets by path, and which remembers what it was asked."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass
class Reply:
    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    drip_seconds: float = 0.0  # between two bytes


@dataclass
class WebServer:
    url: str
    replies: dict[str, Reply]
    asked: list[tuple[str, Message]]  # path with query, headers


@contextmanager
def web_server(replies: dict[str, Reply]) -> Iterator[WebServer]:
    found = WebServer("", replies, [])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append((self.path, self.headers))
            reply = found.replies.get(self.path.partition("?")[0], Reply(b"not here", 404))
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            if not reply.drip_seconds:
                self.wfile.write(reply.body)
                return
            for number in range(len(reply.body)):
                self.wfile.write(reply.body[number : number + 1])
                time.sleep(reply.drip_seconds)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        found.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield found
        server.shutdown()
