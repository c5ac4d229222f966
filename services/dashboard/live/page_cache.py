"""Drawn pages: viewers of the same role, audience, colour mode and zone share one for a second."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from threading import Lock

from services.dashboard.kit import theme
from services.dashboard.kit.cards.board import Board
from services.dashboard.kit.cards.card import Context
from services.dashboard.kit.cards.edition import Edition
from services.dashboard.kit.cards.encoding import encoded, shown_tabs
from services.dashboard.kit.category_colours import CategoryColours
from services.dashboard.kit.time_zones import Clock, clock_of
from services.dashboard.live import board
from services.dashboard.sign_in.access import Role
from services.dashboard.sources.history.last_week import LastWeek
from services.dashboard.sources.observations import Observation, snapshot_of
from shared.rollups.model import AUDIENCES, Audience, Meta

LastWeekOf = Callable[[Meta, Audience, tzinfo], LastWeek | None]
"""What was counted a week before a rollup, by the calendar of a zone. Does not wait for it."""

_Viewer = tuple[Role, theme.Mode, Clock, bool]


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A page, and its editions by the tabs that they have; by None the one with all."""

    board: Board
    editions: dict[tuple[tuple[str, str], ...] | None, Edition] = field(default_factory=dict)


class PageCache:
    """The latest pages by audience. Thread-safe; one viewer draws, the others get the same page."""

    def __init__(
        self,
        address: str,
        colours: CategoryColours,
        refresh_seconds: float,
        last_week: LastWeekOf = lambda _meta, _audience, _zone: None,
    ) -> None:
        """`address` is the Redis that the status strip names; `colours` are those of all pages of the process.

        Without `last_week`, there is no history to compare with.
        """
        self._last_week = last_week
        self._refresh_seconds = refresh_seconds
        self._address = address
        self._colours = colours
        self._locks = {audience: Lock() for audience in AUDIENCES}
        self._drawn: dict[Audience, tuple[Observation | None, int, dict[_Viewer, _Drawn]]] = {
            audience: (None, 0, {}) for audience in AUDIENCES
        }

    def page(
        self,
        observation: Observation,
        audience: Audience,
        role: Role,
        mode: theme.Mode,
        zone: str | None,
        now_ms: int,
        *,
        is_wall: bool = False,
        tabs: Mapping[str, str] | None = None,
    ) -> Edition:
        """The page of an observation; ages on it are as of the second of `now_ms`.

        `tabs` are those that the viewer chose, by card. Other tabs are left out, unless it is None. Unknown ones are
        ignored.
        """
        clock = clock_of(zone)
        with self._locks[audience]:
            seen, second, pages = self._drawn[audience]
            now_s = max(now_ms // 1000, second)  # a delayed thread takes the page of the others
            # Only the newest pages are kept, so memory does not grow with viewers, roles, modes and zones. A source
            # returns a new observation every second; an older one is drawn again because its ages grow.
            if seen is not observation or now_s - second > 1:
                pages = {}
                self._drawn[audience] = (observation, now_s, pages)
            viewer = (role, mode, clock, is_wall)
            if viewer not in pages:
                context = replace(self._context(observation, audience, role, mode, clock, now_s), is_wall=is_wall)
                snapshot = snapshot_of(observation)
                last_week = None if snapshot is None else self._last_week(snapshot.meta, audience, clock.zone)
                pages[viewer] = _Drawn(board.draw(observation, self._address, context, last_week))
            drawn = pages[viewer]
            shown = None if tabs is None else shown_tabs(drawn.board, tabs)
            key = None if shown is None else tuple(shown.items())
            if key not in drawn.editions:
                at = clock.named_time(now_s * 1000)
                drawn.editions[key] = Edition(encoded(drawn.board, at, self._refresh_seconds, shown))
            return drawn.editions[key]

    def _context(
        self, observation: Observation, audience: Audience, role: Role, mode: theme.Mode, clock: Clock, now_s: int
    ) -> Context:
        snapshot = snapshot_of(observation)
        return Context(
            palette=theme.palette_of(mode),
            now_ms=now_s * 1000,
            clock=clock,
            category_colours=self._colours.of(board.categories_of(snapshot)) if snapshot else {},
            audience=audience,
            role=role,
        )
