"""A real OpenID Connect provider for tests: `oidc-provider` in node, on a free loopback port."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.support.npm_package import installed
from tests.support.servers.server_process import ServerProcess, free_port

_HERE: Final = Path(__file__).parent
_PACKAGE: Final = _HERE / "package.json"

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
        server.run(["env", "-C", str(installed(_PACKAGE)), *command], lambda: _answers(port))
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/.well-known/openid-configuration", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
