"""What an event is called, by the table of dimensions: the names of a click. Pure."""

from collections.abc import Callable
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final

from services.aggregate.columns.dimensions import DIMENSIONS, Dimension
from services.aggregate.columns.goals import Goals, matcher
from services.aggregate.proof.clicks import NAMED, PLACES, TITLE, Names
from services.aggregate.proof.commerce import Goals as Reached
from shared.events.limits import shortened

_PRODUCT: Final = "product"
_REMEMBERED: Final = 20_000  # values of the fields of a dimension
_EVENT_TYPE: Final = PLACES["event_types_1h"]
_PAGE: Final = PLACES["pages_1h"]


class Naming:
    """The names of events. Equal texts share one object."""

    def __init__(self) -> None:
        ranked = [dimension for dimension in DIMENSIONS if dimension.is_ranked]
        reductions = {dimension.reduce for dimension in ranked if dimension.reduce}
        self._reductions = {reduce: lru_cache(_REMEMBERED)(reduce) for reduce in reductions}
        self._texts_of = [self._namer(dimension) for dimension in ranked]
        labels = [label for dimension in ranked for label in _labels(dimension)]
        self._order = [labels.index(named) for named in NAMED]
        self._known: dict[str | None, str | None] = {}

    def names_of(self, event: Any) -> Names:
        """The names of an event with the fields of `SOURCE_FIELDS`."""
        texts = [text for texts_of in self._texts_of for text in texts_of(event)]
        return tuple([texts[place] for place in self._order])

    def _namer(self, dimension: Dimension) -> Callable[[Any], Names]:
        """A function from an event to its texts in a dimension, by `_labels`."""
        fields = [attrgetter(field) for field in dimension.source_fields]
        reduce = self._reductions[dimension.reduce] if dimension.reduce else None
        text_of = [shown.text_of or str for shown in dimension.shown if shown.ranking]
        if dimension.name == _PRODUCT:
            text_of.append(attrgetter(TITLE))

        @lru_cache(_REMEMBERED)
        def texts(*values: Any) -> Names:
            name = dimension.encode(*values)
            if name is not None and dimension.max_bytes is not None:
                name = shortened(name, dimension.max_bytes)
            own = [None if name is None else text(name) for text in text_of]
            return tuple([self._known.setdefault(text, text) for text in own])

        if reduce is None:
            return lambda event: texts(*[field(event) for field in fields])
        return lambda event: texts(*[reduce(field(event)) for field in fields])


def _labels(dimension: Dimension) -> list[str]:
    labels = [shown.ranking for shown in dimension.shown if shown.ranking]
    return [*labels, TITLE] if dimension.name == _PRODUCT else labels


def reached(goals: Goals) -> Reached:
    """The goals of GOALS_FILE, each with whether a click reaches it."""
    return {goal.name: _reaches(goal.event_type, goal.page) for goal in goals.goals}


def _reaches(event_type: str | None, page: str | None) -> Callable[[Names], bool]:
    if page is None:
        return lambda names: names[_EVENT_TYPE] == event_type
    matches = lru_cache(_REMEMBERED)(matcher(page))
    return lambda names: (own := names[_PAGE]) is not None and matches(own)
