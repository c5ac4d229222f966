"""What the demo prints once it is ready. Pure."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

_EMPTY_NAMED: Final = 3


def redis_command(*, port: int | None, has_redis_cli: bool, uvx: str) -> str:
    """A shell command to query Redis; `port` is the embedded server's, None when REDIS_URL names another.

    Without redis-cli, `uvx` (the command or its path) runs a client without installing it.
    """
    # The URL may hold a password, so the shell fills it in.
    if has_redis_cli:
        return 'redis-cli -u "$REDIS_URL"' if port is None else f"redis-cli -p {port}"
    return f'{uvx} iredis --url "$REDIS_URL"' if port is None else f"{uvx} iredis -p {port}"


def as_typed(name: str, path: str | None, folder: Path) -> str:
    """A program as one types it in a folder: by its path if it is in there, as what `make` installs; else by name."""
    if path is not None and Path(path).is_relative_to(folder):
        return str(Path(path).relative_to(folder))
    return name


def sql_command(base: Mapping[str, str], state_dir: Path, clickpulse: str) -> str:
    """A shell command to ask history in SQL; `clickpulse` is the command or its path."""
    names_its_own = any(base.get(name) for name in ("HISTORY_URL", "HISTORY_URL_FILE", "HISTORY_DIR"))
    return f"{'' if names_its_own else f'HISTORY_DIR={state_dir}/history '}{clickpulse} history sql"


def ready_lines(
    *,
    dashboard_port: int,
    collect_port: int,
    has_shop: bool,
    redis: str,
    prefix: str,
    state_dir: Path,
    seconds: float,
    sql: str | None,
    api_port: int,
    empty: Sequence[str] = (),
) -> Sequence[str]:
    """URLs, commands to copy, and how to stop; `empty` are the keys without data.

    Without history `sql` is None and `api_port` 0.
    """
    more = f" and {len(empty) - _EMPTY_NAMED} more keys" if len(empty) > _EMPTY_NAMED else ""
    return (
        f"Clickpulse is ready; every figure has data after {seconds:.0f} s."
        if not empty
        else f"Clickpulse is ready after {seconds:.0f} s. No data in {', '.join(empty[:_EMPTY_NAMED])}{more}.",
        "",
        f"Dashboard   http://127.0.0.1:{dashboard_port}",
        f"Shop        http://127.0.0.1:{collect_port}   (click there, and see it on the dashboard)"
        if has_shop
        else f"Collector   http://127.0.0.1:{collect_port}   (docs/collector.md)",
        f"Redis       {redis} HGETALL {prefix}rollup:meta",
        f"            {redis} ZREVRANGE {prefix}rollup:all:products:1h 0 9 WITHSCORES",
        *([] if sql is None else [f"SQL         {sql}"]),
        *([f"API         curl http://127.0.0.1:{api_port}/api/v1/aggregate   (docs/api.md)"] if api_port else []),
        f"Data in     {state_dir} (--fresh clears it)",
        "Stop        Ctrl-C",
    )
