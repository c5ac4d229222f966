"""The codecs of goals and revenue, see `codecs`. Pure. An amount is decimal text: a score or a float would round it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import fields
from decimal import Decimal
from typing import Any, Final

import msgspec

from shared.events.timestamps import iso_second, parse_iso_second
from shared.rollups.codecs import GREATEST, Codec, few, name_of, number_of, real_of
from shared.rollups.commerce import GoalCounts, Revenue, Sales

_AMOUNT: Final = re.compile(r"-?\d{1,30}(\.\d{1,6})?", re.ASCII)
_AMOUNT_FIELDS: Final = {field.name for field in fields(Revenue) if field.type is Decimal}
_FIELDS: Final = tuple(field.name for field in fields(Revenue))


class _Counts(msgspec.Struct):
    conversions: dict[str, int]
    visitors: dict[str, int]
    rate: dict[str, float]


class _Sold(msgspec.Struct):
    name: str
    revenue: str
    orders: int


_encode: Final = msgspec.json.Encoder().encode
_decode_counts: Final = msgspec.json.Decoder(_Counts).decode
_decode_sold: Final = msgspec.json.Decoder(_Sold).decode
_decode_texts: Final = msgspec.json.Decoder(dict[str, str]).decode
_decode_conversions: Final = msgspec.json.Decoder(dict[str, int]).decode


def _amount(text: str) -> Decimal:
    if _AMOUNT.fullmatch(text) is None:
        raise ValueError(f"expected an amount such as 19.99, got {text[:40]!r}")
    return Decimal(text)


def _written(amount: Decimal) -> str:
    return f"{amount:f}"


def _encode_revenue(revenue: Revenue) -> dict[str, str]:
    values = {name: getattr(revenue, name) for name in _FIELDS}
    return {name: _written(value) if name in _AMOUNT_FIELDS else str(value) for name, value in values.items()}


def _revenue_of(texts: Mapping[str, str]) -> Revenue:
    decoded: dict[str, Any] = {
        name: _amount(texts[name]) if name in _AMOUNT_FIELDS else number_of(texts[name])
        for name in _FIELDS
        if name != "currency"
    }
    return Revenue(currency=texts["currency"], **decoded)


def _decode_revenue(reply: Mapping[bytes, bytes]) -> Revenue:
    return _revenue_of({name_of(name): name_of(text) for name, text in few(reply).items()})


def _encode_currencies(currencies: Mapping[str, Revenue]) -> dict[str, bytes]:
    return {currency: _encode(_encode_revenue(revenue)) for currency, revenue in currencies.items()}


def _decode_currencies(reply: Mapping[bytes, bytes]) -> dict[str, Revenue]:
    found = {name_of(currency): _revenue_of(_decode_texts(about)) for currency, about in few(reply).items()}
    return dict(sorted(found.items(), key=lambda item: (-item[1].orders_8h, item[0].encode())))


def _encode_amounts(amounts: Mapping[int, Decimal]) -> dict[str, str]:
    return {iso_second(start): _written(amount) for start, amount in amounts.items()}


def _decode_amounts(reply: Mapping[bytes, bytes]) -> dict[int, Decimal]:
    return dict(sorted((parse_iso_second(name_of(at)), _amount(name_of(text))) for at, text in few(reply).items()))


def _encode_sales(ranking: Mapping[str, Sales]) -> list[bytes]:
    return [_encode(_Sold(name, _written(sold.revenue), sold.orders)) for name, sold in ranking.items()]


def _decode_sales(reply: Iterable[bytes]) -> dict[str, Sales]:
    return {
        sold.name: Sales(_amount(sold.revenue), _count(sold.orders)) for sold in map(_decode_sold, few(list(reply)))
    }


def _encode_goals(goals: Mapping[str, GoalCounts]) -> dict[str, bytes]:
    return {
        goal: _encode(_Counts(dict(counts.conversions), dict(counts.visitors), dict(counts.rate)))
        for goal, counts in goals.items()
    }


def _decode_goals(reply: Mapping[bytes, bytes]) -> dict[str, GoalCounts]:
    goals = {}
    for goal, about in few(reply).items():
        counts = _decode_counts(about)
        for count in (*counts.conversions.values(), *counts.visitors.values()):
            _count(count)
        for rate in counts.rate.values():
            real_of(str(rate), 1)
        goals[name_of(goal)] = GoalCounts(conversions=counts.conversions, visitors=counts.visitors, rate=counts.rate)
    return goals


def _encode_conversions(minutes: Mapping[int, Mapping[str, int]]) -> dict[str, bytes]:
    return {iso_second(start): _encode(dict(conversions)) for start, conversions in minutes.items()}


def _decode_minutes(reply: Mapping[bytes, bytes]) -> dict[int, dict[str, int]]:
    minutes = {parse_iso_second(name_of(at)): _decode_conversions(own) for at, own in few(reply).items()}
    for conversions in minutes.values():
        few(conversions)
        for count in conversions.values():
            _count(count)
    return dict(sorted(minutes.items()))


def _count(count: int) -> int:
    if not 0 <= count <= GREATEST:
        raise ValueError("a number is out of range")
    return count


REVENUE: Final[Codec[Revenue]] = Codec("hash", _encode_revenue, _decode_revenue)
CURRENCIES: Final[Codec[Mapping[str, Revenue]]] = Codec("hash", _encode_currencies, _decode_currencies)
AMOUNTS: Final[Codec[Mapping[int, Decimal]]] = Codec("hash", _encode_amounts, _decode_amounts)  # oldest first
SALES: Final[Codec[Mapping[str, Sales]]] = Codec("list", _encode_sales, _decode_sales)  # greatest revenue first
GOALS: Final[Codec[Mapping[str, GoalCounts]]] = Codec("hash", _encode_goals, _decode_goals)
CONVERSIONS: Final[Codec[Mapping[int, Mapping[str, int]]]] = Codec(  # start → goal → conversions, oldest first
    "hash", _encode_conversions, _decode_minutes
)
