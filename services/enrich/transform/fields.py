"""The fields of an enriched click: where each value comes from, and which of a producer's own bytes may stay. Pure.

`enrich` and the fast path are both generated from FIELDS, so that they agree on every field.
"""

from collections.abc import Callable, Iterable
from enum import IntEnum
from typing import Annotated, Any, Final, NamedTuple

from msgspec import UNSET, Meta, UnsetType

from services.enrich.lookups.catalogue import gender_of
from services.enrich.transform.age import age_in_range, age_on_day
from services.enrich.transform.rules import Rules
from shared.events.amounts import CANONICAL_AMOUNT, CURRENCY
from shared.events.schema import DEFAULT_EVENT_TYPE
from shared.events.timestamps import EPOCH_MS, parse_timestamp_ms

_EpochMs = Annotated[int, Meta(ge=EPOCH_MS.start, lt=EPOCH_MS.stop)]
_Text = Annotated[str, Meta(min_length=1)]
_Amount = Annotated[str, Meta(pattern=CANONICAL_AMOUNT)]
_Currency = Annotated[str, Meta(pattern=CURRENCY)]


class Source(IntEnum):
    """Where a value comes from. The fast path appends values in this order."""

    PRODUCT = 0
    VISITOR = 1
    COUNTRY = 2
    AGENT = 3
    CLICK = 4


class Field(NamedTuple):
    """One field of an `EnrichedEvent`.

    `value` is an expression over _ARGUMENTS, _NAMES and _BY_RULE, so that a list of fields compiles to a single call.
    `kept` is the type of a producer's own value on the fast path; None where a click with it takes the slow path.
    """

    name: str
    source: Source
    value: str
    kept: Any = None


_BY_RULE: Final = ("clean_urls", "exposes_birthdate")
_ARGUMENTS: Final = ("click", "user_id", "ip", "product", "visitor", "country", "agent")
_NAMES: Final = {
    "DEFAULT_EVENT_TYPE": DEFAULT_EVENT_TYPE,
    "UNSET": UNSET,
    "age_in_range": age_in_range,
    "age_on_day": age_on_day,
    "gender_of": gender_of,
    "parse_timestamp_ms": parse_timestamp_ms,
}

# fmt: off
FIELDS: Final = (
    Field("timestamp", Source.CLICK, "click.timestamp", kept=_EpochMs),
    Field("userId", Source.CLICK, "user_id", kept=str),
    Field("original_timestamp", Source.CLICK,
          "None if click.original_timestamp is None else parse_timestamp_ms(click.original_timestamp)"),
    Field("ip", Source.CLICK, "ip", kept=str | None),
    Field("userAgent", Source.CLICK, "click.userAgent", kept=str | None),
    Field("productId", Source.CLICK, "click.productId", kept=_Text | UnsetType | None),
    Field("category", Source.PRODUCT, "product.category"),
    Field("title", Source.PRODUCT, "product.title"),
    Field("gender", Source.VISITOR,
          "visitor.gender if click.gender is None else gender_of(click.gender) or visitor.gender"),
    Field("country", Source.COUNTRY, "country"),
    Field("deviceType", Source.AGENT, "agent.device_type"),
    Field("browser", Source.AGENT, "agent.browser"),
    Field("operatingSystem", Source.AGENT, "agent.operating_system"),
    Field("age", Source.CLICK,
          "age_on_day(visitor.birth_number, click.timestamp) if click.age is None else age_in_range(click.age)"),
    Field("birthdate", Source.VISITOR, "visitor.birthdate if exposes_birthdate else None"),
    Field("eventId", Source.CLICK, "UNSET if click.eventId is None else click.eventId", kept=_Text | UnsetType),
    Field("eventType", Source.CLICK, "UNSET if click.eventType == DEFAULT_EVENT_TYPE else click.eventType",
          kept=_Text | UnsetType),
    Field("url", Source.CLICK, "UNSET if click.url is None else clean_urls[click.url]", kept=str | UnsetType),
    Field("referrer", Source.CLICK, "UNSET if click.referrer is None else clean_urls[click.referrer]",
          kept=str | UnsetType),
    Field("profileGender", Source.CLICK, "UNSET if click.gender is None and click.age is None else visitor.gender"),
    Field("profileAge", Source.CLICK,
          "UNSET if click.gender is None and click.age is None else age_on_day(visitor.birth_number, click.timestamp)"),
    *(Field(name, Source.CLICK, f"UNSET if click.{name} is None else click.{name}", kept=kept)
      for name, kept in (
          ("value", _Amount | UnsetType),
          ("currency", _Currency | UnsetType),
          ("quantity", int | UnsetType),
          ("orderId", _Text | UnsetType),
          ("cost", _Amount | UnsetType),
          ("platform", _Text | UnsetType),
          ("site", str | UnsetType),  # if it is one: the fast path remembers which are, a pattern costs more
      )),
)
# fmt: on


def compiled(build: Callable[..., Any], fields: Iterable[Field], rules: Rules) -> Callable[..., Any]:
    """A function of _ARGUMENTS, each optional, that calls `build` with the fields' values by these rules.

    Passes them by position: by name it takes five times as long.
    """
    arguments = ", ".join(f"{name}=None" for name in _ARGUMENTS)
    values = ", ".join(field.value for field in fields)
    names = _NAMES | {name: getattr(rules, name) for name in _BY_RULE} | {"build": build}
    function: Callable[..., Any] = eval(f"lambda {arguments}: build({values})", names)  # noqa: S307 - our own text
    return function
