"""Reads GOALS_FILE, see docs/goals.md. A wrong one ends the process with the goal, what was expected and an example."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from services.aggregate.columns.goals import NO_GOALS, WILDCARD, Goal, Goals
from shared.rollups.commerce import MOST_GOALS
from shared.runtime.configuration import ConfigurationError

MOST_BYTES: Final = 64 * 1024
LONGEST_NAME_BYTES: Final = 64
_CONDITIONS: Final = {"event_type": 64, "page": 512}
"""The longest, in bytes: as events carry them by default."""
_EXAMPLE: Final = 'for example:\n  [[goal]]\n  name = "Checkout"\n  page = "/checkout/*"'


def read_goals(path: Path | None) -> Goals:
    """The goals in a file; none without one. Raises ConfigurationError."""
    if path is None:
        return NO_GOALS
    try:
        with path.open("rb") as file:
            text = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(f"GOALS_FILE: cannot read {path}: {error.strerror or error}") from error
    if len(text) > MOST_BYTES:
        raise ConfigurationError(f"GOALS_FILE: {path} has more than {MOST_BYTES:,} bytes; expected {MOST_GOALS} goals")
    try:
        return parse_goals(text.decode("utf-8-sig"))
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"GOALS_FILE: {path}: {error}; {_EXAMPLE}") from error


def parse_goals(text: str) -> Goals:
    """The goals in TOML. Raises ValueError; tomllib's names the line."""
    document = tomllib.loads(text)
    tables = document.pop("goal", [])
    if document:
        raise ValueError(f"expected only [[goal]], got {next(iter(document))!r:.80}")
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ValueError("expected [[goal]] with two brackets, once for each goal")
    if len(tables) > MOST_GOALS:
        raise ValueError(f"expected at most {MOST_GOALS} goals, got {len(tables):,}")
    goals: dict[str, Goal] = {}
    for number, table in enumerate(tables, 1):
        goal = _goal(number, table)
        if goal.name in goals:
            raise ValueError(f"goal {number}: expected another name, {goal.name!r} names an earlier one")
        goals[goal.name] = goal
    return Goals(tuple(goals.values()))


def _goal(number: int, table: Mapping[str, Any]) -> Goal:
    where = f"goal {number} ({table['name']!r:.80})" if "name" in table else f"goal {number}"
    unknown = [key for key in table if key not in ("name", *_CONDITIONS)]
    if unknown:
        raise ValueError(f"{where}: expected name and {' or '.join(_CONDITIONS)}, got {unknown[0]!r:.80}")
    given = [condition for condition in _CONDITIONS if condition in table]
    if len(given) != 1:
        raise ValueError(f"{where}: expected either {' or '.join(_CONDITIONS)}, got {' and '.join(given) or 'neither'}")
    for key, most in (("name", LONGEST_NAME_BYTES), (given[0], _CONDITIONS[given[0]])):
        text = table.get(key)
        if not isinstance(text, str) or not text.strip() or len(text.encode()) > most or not text.isprintable():
            raise ValueError(f"{where}: {key}: expected text of 1 to {most} bytes, got {text!r:.80}")
    if "page" in table and not table["page"].startswith(("/", WILDCARD)):
        raise ValueError(f"{where}: page: expected a path that begins with / or {WILDCARD}, got {table['page']!r:.80}")
    return Goal(name=table["name"], event_type=table.get("event_type"), page=table.get("page"))
