"""The lookups in the rows of a file, one after the other, and what the file lacks. Pure."""

from collections.abc import Sequence

from services.enrich.lookup_files.columns import Columns
from services.enrich.lookup_files.fields import NOTHING_TO_SHOW, Kind, Lookup, RefusedRow, Row
from shared.events.limits import Limits


class Reading:
    """Reads the rows of a file as lookups of a kind, and counts what they lack."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.columns: Columns | None = None
        self.further = 0
        self._filled = [False for _ in kind.fields[1:]]
        self._last_id: str | None = None

    @property
    def empty(self) -> Sequence[str]:
        """The fields that no lookup has had."""
        return [field for field, is_filled in zip(self.kind.fields[1:], self._filled, strict=True) if not is_filled]

    def read(self, row: Row, limits: Limits) -> Lookup | RefusedRow | None:
        """The lookup of a row; None for a further row of the product before, which shops export for each variant."""
        if isinstance(row.fields, str) or self.columns is None:
            return RefusedRow(str(row.fields))
        lookup = self.kind.read(self.columns.read(row.fields), limits)
        if isinstance(lookup, Lookup):
            self._last_id = lookup.lookup_id
            self._filled = [any(pair) for pair in zip(self._filled, lookup.stored.values(), strict=True)]
        elif lookup.reason == NOTHING_TO_SHOW and lookup.lookup_id == self._last_id:
            self.further += 1
            return None
        return lookup
