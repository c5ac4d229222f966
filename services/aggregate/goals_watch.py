"""Says when GOALS_FILE is no longer what is in force, on a thread."""

from pathlib import Path
from threading import Event, Thread
from typing import Final, Self

from services.aggregate.columns.goals import Goals
from services.aggregate.goals_file import read_goals
from shared.runtime.configuration import ConfigurationError
from shared.runtime.logs import get_logger
from shared.runtime.tracebacks import error_text
from shared.status.health import Health

PART: Final = "goals_file"
LOOK_SECONDS: Final = 10.0
_JOIN_SECONDS: Final = 1.0
"""A look that hangs with the file system does not keep the process."""

logger = get_logger(__name__)


class GoalsWatch:
    """Degrades the health while the file has other goals than those in force, or cannot be read.

    Goals change at a restart only, because what earlier events reached is counted under those of their time: a change
    sets the state aside and rebuilds it from the log, which somebody should decide to do.
    """

    def __init__(self, path: Path | None, in_force: Goals, health: Health) -> None:
        """Without a `path` there is nothing to watch."""
        self._path = path
        self._in_force = in_force
        self._health = health
        self._note = ""
        self._stop = Event()
        self._thread = Thread(target=self._run, name="goals-watch", daemon=True)

    def look(self) -> None:
        """Read the file and say what differs. Raises nothing for any content of the file."""
        note = self._difference()
        if note:
            self._health.degraded(PART, note)
        else:
            self._health.working(PART)
        if note and note != self._note:
            logger.warning(note)
        if self._note and not note:
            logger.info("GOALS_FILE has the goals in force again")
        self._note = note

    def _difference(self) -> str:
        try:
            goals = read_goals(self._path)
        except ConfigurationError as error:
            return f"the goals read at the start stay in force; with the file as it is, a restart fails: {error}"
        if goals.definitions == self._in_force.definitions:
            return ""
        return (
            "GOALS_FILE has changed; the goals read at the start stay in force until a restart, which rebuilds the "
            "windows from the log"
        )

    def _run(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            try:
                self.look()
            except Exception as error:  # noqa: BLE001 - a watch must not end for what it watches; the next look may work
                logger.warning("cannot watch GOALS_FILE", error=error_text(error))

    def __enter__(self) -> Self:
        if self._path is not None:
            names = [goal.name for goal in self._in_force.goals]
            logger.info("goals in force until the next start", file=str(self._path), goals=names)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._path is not None:
            self._thread.join(_JOIN_SECONDS)
