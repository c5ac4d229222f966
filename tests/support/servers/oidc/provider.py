"""A real OpenID Connect provider for tests: `oidc-provider` in node, on a free loopback port."""

import fcntl
import json
import os
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.support.servers.server_process import ServerMissing, ServerProcess, free_port

_HERE: Final = Path(__file__).parent
_PACKAGE: Final = _HERE / "package.json"
_CACHE: Final = Path.home() / ".cache" / "clickpulse"

CLIENT_ID: Final = "clickpulse"
CLIENT_SECRET: Final = "secret of the client"


@contextmanager
def running_provider(log: Path, redirect_uri: str, users: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """The address of a provider that knows these claims by login, while the block runs. Raises ServerMissing."""
    port = free_port()
    server = ServerProcess(log)
    arguments = [str(port), CLIENT_ID, CLIENT_SECRET, redirect_uri, json.dumps(users)]
    command = ["node", str(_HERE / "provider.mjs"), *arguments]
    try:
        server.run(["env", "-C", str(_installed()), *command], lambda: _answers(port))
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()


def _installed() -> Path:
    """The folder with the package, which npm fetches the first time."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise ServerMissing(f"no {program} on the PATH to run an OpenID Connect provider with")
    version = json.loads(_PACKAGE.read_text())["dependencies"]["oidc-provider"]
    folder = _CACHE / f"oidc-provider-{version}"
    _CACHE.mkdir(parents=True, exist_ok=True)
    with (_CACHE / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            part = folder.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            shutil.copy(_PACKAGE, part)
            command = ["npm", "install", "--no-audit", "--no-fund", "--loglevel=error"]
            fetched = subprocess.run(command, cwd=part, capture_output=True, text=True, check=False, env={**os.environ})
            if fetched.returncode != 0:
                raise ServerMissing(f"npm cannot fetch oidc-provider {version}: {fetched.stderr[-500:]}")
            part.rename(folder)
    return folder


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/.well-known/openid-configuration", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
