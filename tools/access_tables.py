"""Writes the rights in docs/security.md from the tables that the containers and the tests use."""

import re
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Final

from services.access.kafka_rights import kafka_rights
from services.access.names import Names
from services.access.redis_rights import redis_rights
from shared.streams.kafka.access_rows import KafkaRight

DOCUMENT: Final = Path(__file__).parents[1] / "docs" / "security.md"
_MARKED: Final = re.compile(r"(<!-- generated: (.+?) -->\n).*?(<!-- end -->)", re.DOTALL)


def with_rights(document: str) -> str:
    """The document with each marked block replaced. Raises KeyError for a marker that names none."""
    blocks = {
        "redis, log on kafka": _acl_file(is_log_on_redis=False),
        "redis, log on redis": _acl_file(is_log_on_redis=True),
        "kafka": _kafka(kafka_rights(Names())),
    }
    return _MARKED.sub(lambda marked: f"{marked[1]}{blocks[marked[2]]}{marked[3]}", document)


def _acl_file(*, is_log_on_redis: bool) -> str:
    lines = (right.line("", None) for right in redis_rights(Names(), is_log_on_redis=is_log_on_redis))
    return "```\n" + "".join(f"{line}\n" for line in lines) + "```\n"


def _kafka(rights: Iterable[KafkaRight]) -> str:
    table = "| user | resource | name | operations |\n|---|---|---|---|\n"
    for (user, resource, name, is_prefix), rows in groupby(sorted(rights, key=_resource), key=_resource):
        shown = f"`{name}`, and what begins with it" if is_prefix else f"`{name}`"
        table += f"| {user} | {resource} | {shown} | {', '.join(dict.fromkeys(row.operation for row in rows))} |\n"
    return table


def _resource(right: KafkaRight) -> tuple[str, str, str, bool]:
    return right.user, right.resource, right.name, right.is_prefix


def main() -> None:
    """Rewrite the document in place."""
    DOCUMENT.write_text(with_rights(DOCUMENT.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
