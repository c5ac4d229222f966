"""The lookups in the rows of a file, one after the other, and what the file lacks. Pure."""

from collections.abc import Sequence

from services.enrich.lookup_files.columns import Columns
from services.enrich.lookup_files.fields import Fields, Kind, Lookup, RefusedRow, Row
from shared.events.limits import Limits


class Reading:
    """Reads the rows of a file as lookups of a kind, and counts what they lack."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.columns: Columns | None = None
        self.further = 0
        self._filled = [False for _ in kind.fields[1:]]
        self._last_id: str | None = None
        self._values_by_key: dict[str, Fields] = {}  # of an export with variants

    @property
    def empty(self) -> Sequence[str]:
        """The fields that no lookup has had."""
        return [field for field, is_filled in zip(self.kind.fields[1:], self._filled, strict=True) if not is_filled]

    def read(self, row: Row, limits: Limits) -> Lookup | RefusedRow | None:
        """The lookup of a row; None for a further row of the product before, which shops export for each variant."""
        if isinstance(row.fields, str) or self.columns is None:
            return RefusedRow(str(row.fields))
        own = self.columns.read(row.fields)
        lookup = self.kind.read(self._inherited(self.columns, row.fields, own), limits)
        if lookup.lookup_id is not None and lookup.lookup_id == self._last_id and not any(self._values(own).values()):
            self.further += 1
            return None
        if isinstance(lookup, Lookup):
            self._last_id = lookup.lookup_id
            self._filled = [any(pair) for pair in zip(self._filled, lookup.stored.values(), strict=True)]
        return lookup

    def _inherited(self, columns: Columns, row: Fields, own: Fields) -> Fields:
        """The fields of a row, with those of its parent where it has none."""
        parent = self._values_by_key.get(columns.parent_of(row), {})
        fields = {name: parent.get(name) if value is None else value for name, value in own.items()}
        for key in columns.keys_of(row):
            self._values_by_key.setdefault(key, self._values(fields))
        return fields

    def _values(self, fields: Fields) -> Fields:
        return {name: fields.get(name) for name in self.kind.fields[1:]}
