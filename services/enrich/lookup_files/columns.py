"""Which column of a file is which field: by its name, by the shop that exported it, or as the user says. Pure."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from services.enrich.lookup_files.fields import Fields, Kind

_MOST_LISTED: Final = 60
_LONGEST_LISTED: Final = 40  # characters
_DECIMAL: Final = re.compile(r"[0-9]+\.0")


class UnusableColumns(Exception):  # noqa: N818 - a property of the file, shown to the user
    """The columns lack a field that is needed, or one that `--map` names; the message lists them."""


class _Export(NamedTuple):
    """The files of a shop or a feed: the columns that show it, and the columns of each field, the best first.

    Names are as `_plain` writes them. A row of a variant leaves out what the row of its product says; `parent` names
    that row by one of its `keys`, a column with a prefix.
    """

    name: str
    shown_by: Sequence[frozenset[str]]
    columns: Mapping[str, tuple[str, ...]]
    category: Callable[[str], str] = str
    parent: tuple[str, ...] = ()
    keys: tuple[tuple[str, str], ...] = ()


def _first_listed(categories: str) -> str:
    """The first of WooCommerce's categories, which has a backslash before commas within names."""
    return re.split(r"(?<!\\),", categories)[0].replace("\\,", ",").strip()


_EXPORTS: Final = (
    _Export(
        "Shopify",
        (frozenset({"handle", "title"}), frozenset({"urlhandle", "title"})),
        {
            "productId": ("handle", "urlhandle"),
            "category": ("type", "customproducttype", "productcategory", "standardproducttype"),
            "title": ("title",),
        },
        parent=("handle", "urlhandle"),
        keys=(("", "handle"), ("", "urlhandle")),
    ),
    _Export(
        "WooCommerce",
        (frozenset({"id", "name", "categories"}),),
        {"productId": ("id",), "category": ("categories",), "title": ("name",)},
        category=_first_listed,
        parent=("parent",),
        keys=(("id:", "id"), ("", "sku")),
    ),
    _Export(
        "Google Merchant",
        (frozenset({"id", "title", "producttype"}), frozenset({"id", "title", "googleproductcategory"})),
        {"productId": ("id",), "category": ("producttype", "googleproductcategory"), "title": ("title",)},
    ),
)
_USUAL_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "productId": ("productid", "id", "itemid", "sku"),
    "category": ("category", "cat", "categoryname", "productcategory", "categories", "producttype"),
    "title": ("title", "name", "producttitle", "productname"),
    "userId": ("userid", "id", "visitorid", "customerid"),
    "gender": ("gender", "sex"),
    "birthDate": ("birthdate", "birthday", "dateofbirth"),
}


_OWN_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "productId": ("productId", "id"),
    "category": ("category", "cat"),
    "title": ("title",),
    "userId": ("userId", "id"),
    "gender": ("gender",),
    "birthDate": ("birthDate", "birthdate", "birthday"),
}


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns to read each field from, the best first, and which shop's export it is; empty if none's.

    `id_field` is set where a tool has turned whole ids into decimal numbers, such as 2000.0.
    """

    sources: Mapping[str, Sequence[str]]
    found: Sequence[str]
    export: str = ""
    category: Callable[[str], str] = str
    id_field: str = ""
    parent: Sequence[str] = ()
    keys: Sequence[tuple[str, str]] = ()

    def parent_of(self, row: Fields) -> str:
        """The key of the row that says what this one leaves out; empty if there is none."""
        return str(_first_filled(row, self.parent) or "")

    def keys_of(self, row: Fields) -> Sequence[str]:
        """The names by which other rows may call this one their parent."""
        return [f"{prefix}{row[column]}" for prefix, column in self.keys if row.get(column)]

    def read(self, row: Fields) -> Fields:
        """The fields of a row, each from its first column that is not empty."""
        fields = {field: _first_filled(row, columns) for field, columns in self.sources.items()}
        if isinstance(category := fields.get("category"), str):
            fields["category"] = self.category(category)
        if isinstance(lookup_id := fields.get(self.id_field), str) and _DECIMAL.fullmatch(lookup_id):
            fields[self.id_field] = lookup_id.removesuffix(".0")
        return fields

    @property
    def are_own(self) -> bool:
        """Whether all columns have the fields' own names, as files written for Clickpulse do."""
        names = {name for columns in self.sources.values() for name in columns}
        return not self.export and not self.id_field and names <= {name for own in _OWN_NAMES.values() for name in own}

    def __str__(self) -> str:
        read = ", ".join(
            f"{field} from {' or '.join(known)}"
            for field, columns in self.sources.items()
            if (known := [column for column in columns if column in self.found or "." in column])
        )
        ids = f" ({self.id_field} such as 2000.0 is read as 2000)" if self.id_field else ""
        return (f"{self.export} export: {read}" if self.export else read) + ids


def columns_of(kind: Kind, rows: Sequence[Fields], renames: Sequence[tuple[str, str]]) -> Columns:
    """The columns of a file with these first rows; `renames` are pairs of a column and a field of the kind.

    Raises UnusableColumns.
    """
    found = list(dict.fromkeys(name for row in rows for name in row))
    by_plain_name: dict[str, list[str]] = {}
    for name in found:
        by_plain_name.setdefault(_plain(name), []).append(name)
    export = next((one for one in _EXPORTS if kind.fields[0] in one.columns and _shows(by_plain_name, one)), None)
    names = export.columns if export is not None else _USUAL_NAMES
    sources = {
        field: [found_name for name in names[field] for found_name in by_plain_name.get(name, ())]
        for field in kind.fields
    }
    for field in {ours for _, ours in renames}:
        sources[field] = [theirs for theirs, ours in renames if ours == field]
    _check(sources, kind, found, renames, rows)
    if export is None:  # rows of JSON may have different fields: read those of later rows too
        for field in sources.keys() - {ours for _, ours in renames}:
            sources[field] += [name for name in _OWN_NAMES[field] if name not in sources[field]]
    ids = [_first_filled(row, sources[kind.fields[0]]) for row in rows]
    are_decimal = all(isinstance(one, str) and _DECIMAL.fullmatch(one) for one in ids if one is not None)
    columns = Columns(sources, found, id_field=kind.fields[0] if are_decimal else "")
    if export is None:
        return columns
    return replace(
        columns,
        export=export.name,
        category=export.category,
        parent=[name for plain_name in export.parent for name in by_plain_name.get(plain_name, ())],
        keys=[(prefix, name) for prefix, plain_name in export.keys for name in by_plain_name.get(plain_name, ())],
    )


def listed(names: Sequence[str]) -> str:
    """Column names for a message: long ones and long lists are cut."""
    cut = [name if len(name) <= _LONGEST_LISTED else name[:_LONGEST_LISTED] + "…" for name in names[:_MOST_LISTED]]
    shown = ", ".join(cut).encode("utf-8", "replace").decode()  # a name may not be UTF-8
    more = len(names) - _MOST_LISTED
    return f"{shown} and {more:,} more" if more > 0 else shown


def _check(
    sources: Mapping[str, Sequence[str]],
    kind: Kind,
    found: Sequence[str],
    renames: Sequence[tuple[str, str]],
    rows: Sequence[Fields],
) -> None:
    for theirs, ours in renames:
        if not any(_has(row, theirs) for row in rows):
            raise UnusableColumns(f"--map {theirs}={ours}: no column {theirs}; the columns are {listed(found)}")
    lookup_id, *values = kind.fields
    if not sources[lookup_id]:
        raise UnusableColumns(
            f"no column {lookup_id}; the columns are {listed(found)}. Name it with --map COLUMN={lookup_id}"
        )
    if not any(sources[value] for value in values):
        raise UnusableColumns(
            f"no column {' or '.join(values)}; the columns are {listed(found)}. Name it with --map COLUMN={values[0]}"
        )


def _shows(by_plain_name: Mapping[str, object], export: _Export) -> bool:
    return any(names <= by_plain_name.keys() for names in export.shown_by)


def _plain(name: str) -> str:
    """The name without case, spaces, marks and namespace: "g:product_type" and "Product Type" are the same."""
    return re.sub(r"[\W_]", "", name.casefold().removeprefix("g:"))


def _first_filled(row: Fields, columns: Sequence[str]) -> object:
    for column in columns:
        value = _value(row, column)
        if value is not None and not (isinstance(value, str) and not value.strip()):
            return value
    return None


def _has(row: Fields, column: str) -> bool:
    return column in row or _value(row, column) is not None


def _value(row: Fields, column: str) -> object:
    """The value of a column, or of a path such as `product.title` in nested JSON."""
    if column in row or "." not in column:
        return row.get(column)
    value: object = row
    for part in column.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value
