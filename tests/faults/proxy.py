"""A wire that can be cut: a TCP proxy in front of one server, in its own thread."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from threading import Thread
from typing import Self

_CHUNK_BYTES = 1 << 16


class Cut(Enum):
    """How a wire fails."""

    SILENT = "silent"  # bytes wait until it heals, as with retransmitted packets
    REFUSED = "refused"  # resets connections, new ones included


class Proxy:
    """Forwards connections from loopback `port` to another port while its block runs and the wire is not cut."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._target_port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name=f"proxy {self.port}")
        self._passing = asyncio.Event()
        self._passing.set()
        self._is_refusing = False
        self._writers: set[asyncio.StreamWriter] = set()

    def forward_to(self, port: int) -> None:
        """Set where connections go. Call before the first one."""
        self._target_port = port

    def cut(self, how: Cut) -> None:
        """Stop all traffic."""
        self._run(lambda: self._cut(how))

    def heal(self) -> None:
        """Resume traffic."""
        self._run(self._heal)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._serve(), self._loop).result()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, call: Callable[[], None]) -> None:
        async def done() -> None:
            call()

        asyncio.run_coroutine_threadsafe(done(), self._loop).result()

    def _cut(self, how: Cut) -> None:
        if how is Cut.SILENT:
            self._passing.clear()
            return
        self._is_refusing = True
        for writer in self._writers:
            writer.transport.abort()

    def _heal(self) -> None:
        self._is_refusing = False
        self._passing.set()

    async def _serve(self) -> None:
        self._server = await asyncio.start_server(self._connected, sock=self._socket)

    async def _end(self) -> None:
        self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            await self._passing.wait()
            if not self._is_refusing:
                await self._connect(reader, writer)
        except OSError:
            pass  # the server is down
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._target_port)
        self._writers.add(back)
        try:
            await asyncio.gather(self._pump(reader, back), self._pump(there, writer))
        finally:
            self._writers.discard(back)
            back.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await reader.read(_CHUNK_BYTES):
                await self._passing.wait()
                writer.write(chunk)
                await writer.drain()
        await self._passing.wait()
        writer.close()
