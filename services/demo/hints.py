"""What the demo prints once it is ready. Pure."""

from collections.abc import Sequence
from pathlib import Path


def redis_command(*, port: int | None, has_redis_cli: bool, uvx: str) -> str:
    """A shell command to query Redis; `port` is the embedded server's, None when REDIS_URL names another.

    Without redis-cli, `uvx` (the command or its path) runs a client without installing it.
    """
    # The URL may hold a password, so the shell fills it in.
    if has_redis_cli:
        return 'redis-cli -u "$REDIS_URL"' if port is None else f"redis-cli -p {port}"
    return f'{uvx} iredis --url "$REDIS_URL"' if port is None else f"{uvx} iredis -p {port}"


def ready_lines(*, dashboard_port: int, redis: str, prefix: str, state_dir: Path, seconds: float) -> Sequence[str]:
    """The dashboard's URL, Redis commands to copy, and how to stop."""
    return (
        f"Clickpulse is ready; first numbers after {seconds:.0f} s.",
        "",
        f"Dashboard   http://127.0.0.1:{dashboard_port}",
        f"Redis       {redis} HGETALL {prefix}rollup:meta",
        f"            {redis} ZREVRANGE {prefix}rollup:all:products:1h 0 9 WITHSCORES",
        f"Data in     {state_dir} (--fresh clears it)",
        "Stop        Ctrl-C",
    )
