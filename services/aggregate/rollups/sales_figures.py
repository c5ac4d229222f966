"""What was sold, as sums at a publish instant: of one partition, or of several. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from services.aggregate.columns.dictionaries import Dictionaries
from services.aggregate.columns.dimensions import REVENUE_DIMENSIONS
from services.aggregate.columns.sales import OTHER_CURRENCY_CODE, currencies_of
from services.aggregate.engine.ledger import FIGURES, Changing, Ledger, Sums, carried, total
from services.aggregate.engine.sales import BUCKETS
from services.aggregate.engine.windows import Windows
from shared.rollups.codecs import GREATEST
from shared.rollups.commerce import REVENUE_WINDOWS

_Name = TypeVar("_Name", str, int)


@dataclass(frozen=True, slots=True)
class NamedSums:
    """What the names of a partition sold, by the keys of `named_keys`. There may be more names."""

    names: Sequence[Any]
    changing: Changing


@dataclass(frozen=True, slots=True)
class SalesFigures:
    """Sums by key, see `columns.sales.sale_keys` and `engine.sales.SalesWindow`."""

    totals: dict[str, Sums]  # by window
    others: dict[str, Sums]  # the same, of the sales beyond the limit
    by_bucket: dict[int, Sums]  # by length in seconds
    by_name: dict[str, list[NamedSums]]  # by dimension, of each partition: `SoldIndex` adds them up


def sales_figures(windows: Windows, names: Dictionaries) -> SalesFigures:
    """The sums of one partition now."""
    sales = windows.sales
    return SalesFigures(
        _sums_of(sales.totals),
        _sums_of(sales.others),
        _sums_of(sales.by_bucket),
        {dimension: [NamedSums(names.of(dimension), ledger.changing)] for dimension, ledger in sales.by_name.items()},
    )


def _sums_of(ledgers: Mapping[_Name, Ledger]) -> dict[_Name, Sums]:
    return {name: carried(ledger.sums) for name, ledger in ledgers.items()}


def merged_sales(parts: Sequence[SalesFigures]) -> SalesFigures:
    """The sums of all parts."""
    if len(parts) == 1:
        return parts[0]
    return SalesFigures(
        _merged([part.totals for part in parts]),
        _merged([part.others for part in parts]),
        _merged([part.by_bucket for part in parts]),
        {
            dimension.name: [named for part in parts for named in part.by_name[dimension.name]]
            for dimension in REVENUE_DIMENSIONS
        },
    )


def _merged(parts: Sequence[Mapping[_Name, Sums]]) -> dict[_Name, Sums]:
    return {name: _total([part[name] for part in parts]) for name in parts[0]}


def _total(parts: Sequence[Sums]) -> Sums:
    parts = [part for part in parts if len(part.keys)] or parts[:1]
    return parts[0] if len(parts) == 1 else carried(total(parts))


def check_sales(figures: SalesFigures) -> None:
    """Raise ValueError unless figures that another process wrote have the shapes and ranges of our own."""
    if not figures.totals.keys() == figures.others.keys() == set(REVENUE_WINDOWS):
        raise ValueError("sales of other windows")
    if figures.by_bucket.keys() != BUCKETS.keys():
        raise ValueError("sales of other windows")
    for sums in (*figures.totals.values(), *figures.others.values(), *figures.by_bucket.values()):
        _check(sums)


def _check(sums: Sums) -> None:
    keys, figures = sums
    if keys.ndim != 1 or figures.shape != (len(keys), len(FIGURES)):
        raise ValueError(f"sums of the shapes {keys.shape[:4]} and {figures.shape[:4]}")
    if not len(keys):
        return
    if keys[0] < 0 or currencies_of(keys[-1:])[0] > OTHER_CURRENCY_CODE or (np.diff(keys) <= 0).any():
        raise ValueError("sums by keys out of order or range")
    if figures.min() < 0 or figures.max() > GREATEST:
        raise ValueError("a sum is out of range")
