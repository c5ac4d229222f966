"""The figures of goals at a publish instant. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from services.aggregate.columns.arrays import Ints
from services.aggregate.engine.windows import Windows
from shared.events.time_units import HOUR_SECONDS, MINUTE_SECONDS
from shared.rollups.commerce import GoalCounts
from shared.rollups.model import AUDIENCES, MINUTES_SHOWN, WINDOW_SECONDS, Audience

_HOUR: Final = [*WINDOW_SECONDS.values()].index(HOUR_SECONDS)


@dataclass(frozen=True, slots=True)
class GoalFigures:
    """The figures of one partition, or the sum of several. Arrays have a row for each goal."""

    definitions: list[str]  # equal where the goal is the same, see `Goal.definition`
    names: list[str]
    conversions: Ints  # goal × audience × WINDOW_SECONDS
    visitors: Ints  # the same
    by_minute: Ints  # goal × audience × MINUTES_SHOWN


def goal_figures(windows: Windows) -> GoalFigures:
    """The figures of one partition now."""
    conversions, now_s = windows.conversions, windows.now_s
    return GoalFigures(
        windows.goals.definitions,
        [goal.name for goal in windows.goals.goals],
        conversions.conversions([(now_s, seconds) for seconds in WINDOW_SECONDS.values()]),
        conversions.visitors(now_s, list(WINDOW_SECONDS.values())),
        conversions.by_bucket(now_s, MINUTE_SECONDS, MINUTES_SHOWN),
    )


def merged_goals(parts: Sequence[GoalFigures]) -> GoalFigures:
    """The sums of the goals that all parts have: what another lacks would be too low."""
    first = parts[0]
    common = set(first.definitions).intersection(*(part.definitions for part in parts[1:]))
    chosen = [definition for definition in first.definitions if definition in common]

    def summed(name: str) -> Ints:
        rows = [getattr(part, name)[[part.definitions.index(own) for own in chosen]] for part in parts]
        total: Ints = np.sum(rows, axis=0, dtype=np.int64)
        return total

    return GoalFigures(
        chosen,
        [first.names[first.definitions.index(own)] for own in chosen],
        summed("conversions"),
        summed("visitors"),
        summed("by_minute"),
    )


def published_goals(
    figures: GoalFigures, audience: Audience, visitors: Mapping[str, int], now_s: int
) -> dict[str, Any]:
    """The attributes of `AudienceRollup` about goals. `visitors` are those of the audience by window."""
    row = AUDIENCES.index(audience)
    goals = {}
    for name, conversions, converting in zip(
        figures.names, figures.conversions[:, row].tolist(), figures.visitors[:, row].tolist(), strict=True
    ):
        by_window = dict(zip(WINDOW_SECONDS, converting, strict=True))
        goals[name] = GoalCounts(
            conversions=dict(zip(WINDOW_SECONDS, conversions, strict=True)),
            visitors=by_window,
            rate={window: _share(count, visitors[window]) for window, count in by_window.items()},
        )
    last = now_s // MINUTE_SECONDS
    starts = range(last - MINUTES_SHOWN + 1, last + 1)
    by_minute = figures.by_minute[:, row].T.tolist() if goals else []
    return {
        "goals": goals,
        "goals_1h": dict(zip(figures.names, figures.conversions[:, row, _HOUR].tolist(), strict=True)),
        "goals_1m": {
            start * MINUTE_SECONDS * 1000: {name: n for name, n in zip(figures.names, own, strict=True) if n}
            for start, own in zip(starts, by_minute, strict=False)
        },
    }


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0


def goal_shapes(goals: int) -> dict[str, tuple[int, ...]]:
    """The shapes of the arrays."""
    windows = (goals, len(AUDIENCES), len(WINDOW_SECONDS))
    return {"conversions": windows, "visitors": windows, "by_minute": (goals, len(AUDIENCES), MINUTES_SHOWN)}
