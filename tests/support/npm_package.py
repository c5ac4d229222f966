"""A package of npm for tests."""

from pathlib import Path

from tests.support.servers.server_process import ServerMissing
from tools import npm


def installed(package: Path) -> Path:
    """The folder in which npm installed what the file `package` (a package.json) depends on. Raises ServerMissing."""
    try:
        return npm.installed(package)
    except npm.NpmMissing as missing:
        raise ServerMissing(str(missing)) from missing
