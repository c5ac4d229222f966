"""Generated passwords, and the files in which servers and services read them.

FOLDER/<user>/ has redis-password, kafka-password, aggregate's cluster-secret and history's pgpass, for that service
alone. FOLDER/redis, FOLDER/kafka, FOLDER/postgres and FOLDER/pgadmin are for the servers. Existing passwords stay. The
servers' files are written again each time, because names may have changed.
"""

import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from services.access.redis_rights import HEALTH, OPERATOR, RedisRights, acl_file
from shared.streams.kafka.access_rows import KafkaRight

BROKER: Final = "broker"
"""The user as which Kafka connects to itself."""
HISTORY: Final = "history"
POSTGRES_USER: Final = "clickpulse"
"""The user as which history connects to the PostgreSQL of docker-compose.yml."""
_FOR_ITS_SERVICE: Final = 0o600
_FOR_A_SERVER: Final = 0o644
"""The servers run as users of their own, and nothing else mounts their folders."""
_MODULE: Final = "org.apache.kafka.common.security.plain.PlainLoginModule required"


def write_logins(folder: Path, redis: Iterable[RedisRights], kafka: Iterable[KafkaRight], prefix: str) -> None:
    """Write everything into `folder`. Raises OSError."""
    redis = tuple(redis)
    servers = {name: folder / name for name in ("redis", "kafka")}
    for server in servers.values():
        server.mkdir(parents=True, exist_ok=True)
    redis_passwords = {right.user: _password(folder / right.user / "redis-password") for right in redis}
    redis_passwords[OPERATOR] = _password(folder / OPERATOR / "redis-password")
    _write(servers["redis"] / OPERATOR, redis_passwords[OPERATOR], _FOR_A_SERVER)
    redis_passwords[HEALTH] = _password(servers["redis"] / HEALTH, _FOR_A_SERVER)
    _write(servers["redis"] / "users.acl", acl_file(redis, prefix, redis_passwords), _FOR_A_SERVER)
    _write(servers["redis"] / "cli", _CLI, _FOR_A_SERVER)
    _password(folder / "aggregate" / "cluster-secret")
    postgres = _password(folder / "postgres" / "postgres-password", _FOR_A_SERVER)
    for user in (HISTORY, OPERATOR):
        # As libpq reads it: any server, port and database. It refuses a file that others may read.
        (folder / user).mkdir(parents=True, exist_ok=True)
        _write(folder / user / "pgpass", f"*:*:*:{POSTGRES_USER}:{postgres}\n", _FOR_ITS_SERVICE)
    _password(folder / "pgadmin" / "pgadmin-password", _FOR_A_SERVER)
    kafka_passwords = {
        user: _password(folder / user / "kafka-password") for user in dict.fromkeys(right.user for right in kafka)
    }
    kafka_passwords[OPERATOR] = _password(folder / OPERATOR / "kafka-password")
    kafka_passwords[BROKER] = _password(servers["kafka"] / "broker-password")
    operator = _login(OPERATOR, kafka_passwords[OPERATOR])
    _write(servers["kafka"] / "operator.properties", f"{_CLIENT}sasl.jaas.config={operator};\n", _FOR_A_SERVER)
    logins = " ".join(f'user_{user}="{password}"' for user, password in kafka_passwords.items())
    broker = f"{_login(BROKER, kafka_passwords[BROKER])} {logins};"
    _write(servers["kafka"] / "broker.properties", f"logins={broker}\n", _FOR_A_SERVER)


def shown_login(folder: Path, user: str) -> str:
    """A user's logins as a shell reads them. Raises OSError for one that has none."""
    lines = []
    for server, variable in (("redis", "REDIS"), ("kafka", "KAFKA_SASL")):
        file = folder / user / f"{server}-password"
        if file.exists():
            lines.append(f"export {variable}_USERNAME={user} {variable}_PASSWORD={file.read_text('utf-8').strip()}")
            if server == "kafka":
                lines.append("export KAFKA_SECURITY_PROTOCOL=SASL_PLAINTEXT KAFKA_SASL_MECHANISM=PLAIN")
    if not lines:
        raise FileNotFoundError(f"no password of {user} in {folder}")
    return "\n".join(lines)


_CLIENT: Final = "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\n"
_CLI: Final = (
    f"#!/bin/sh\n# redis-cli as the operator.\n"
    f'REDISCLI_AUTH="$(cat "$(dirname "$0")/{OPERATOR}")" exec redis-cli --user {OPERATOR} "$@"\n'
)


def _login(user: str, password: str) -> str:
    return f'{_MODULE} username="{user}" password="{password}"'


def _password(path: Path, mode: int = _FOR_ITS_SERVICE) -> str:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, secrets.token_urlsafe(32) + "\n", mode)
    return path.read_text("utf-8").strip()


def _write(path: Path, text: str, mode: int) -> None:
    """Replace the file in one step: a server may read it at any time."""
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    part.touch(mode=_FOR_ITS_SERVICE)
    part.write_text(text, "utf-8")
    part.chmod(mode)
    part.rename(path)
