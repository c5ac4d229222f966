"""A package of npm for tests, fetched the first time and kept in the user's cache."""

import fcntl
import json
import shutil
import subprocess
from pathlib import Path
from typing import Final

from tests.support.servers.server_process import ServerMissing

_CACHE: Final = Path.home() / ".cache" / "clickpulse"


def installed(package: Path) -> Path:
    """The folder in which npm installed what the file `package` (a package.json) depends on. Raises ServerMissing."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise ServerMissing(f"no {program} on the PATH to install a package of npm with")
    ((name, version),) = json.loads(package.read_text())["dependencies"].items()
    folder = _CACHE / f"{name}-{version}"
    _CACHE.mkdir(parents=True, exist_ok=True)
    with (_CACHE / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            part = _CACHE / f"{folder.name}.part"
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            shutil.copy(package, part)
            command = ["npm", "install", "--no-audit", "--no-fund", "--loglevel=error"]
            fetched = subprocess.run(command, cwd=part, capture_output=True, text=True, check=False)
            if fetched.returncode != 0:
                raise ServerMissing(f"npm cannot fetch {name} {version}: {fetched.stderr[-500:]}")
            part.rename(folder)
    return folder
