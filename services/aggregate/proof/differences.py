"""Compares what Redis says with what the log or SQL says, figure by figure. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, is_dataclass
from typing import Any, Final, NamedTuple

from shared.events.timestamps import iso_second

ORDER: Final = "(order)"
NOTHING: Final = "nothing"
_LEAST_MS: Final = 1_000_000_000_000  # a number as large names a bucket by its start


class Unreadable(NamedTuple):
    """A key whose value does not fit its contract."""

    reason: str


class Difference(NamedTuple):
    """A figure of a key, as Redis has it and as it was counted from a source."""

    key: str
    field: str
    redis: str
    counted: str
    source: str = "the log"

    def __str__(self) -> str:
        """As one line."""
        return f"{self.key} {self.field}: Redis {self.redis}, {self.source} {self.counted}"


def differences(key: str, published: Any, counted: Any, *, is_ordered: bool = False) -> Iterator[Difference]:
    """The differences of a key. `counted` is as its codec decodes it, with plain mappings in place of dataclasses.

    `is_ordered`: the entries of a mapping have an order in Redis.
    """
    if isinstance(published, Unreadable):
        yield Difference(key, "(value)", f"is unreadable ({published.reason})", "is readable")
        return
    found, wanted = dict(figures_in(published)), dict(figures_in(counted))
    for field in [*wanted, *(field for field in found if field not in wanted)]:
        own, expected = found.get(field, NOTHING), wanted.get(field, NOTHING)
        if own != expected:
            yield Difference(key, field, _shown(own), _shown(expected))
    if is_ordered and found == wanted and list(published or ()) != list(counted):
        yield Difference(key, ORDER, _shown(list(published)), _shown(list(counted)))


def figures_in(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Each single figure in a value, by its place."""
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    elif hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, Mapping):
        for name, own in value.items():
            yield from figures_in(own, _joined(path, _label(name)))
    elif isinstance(value, list | tuple):
        for place, own in enumerate(value):
            yield from figures_in(own, _joined(path, str(place)))
    elif value is not None or path:
        yield path, value


def _joined(path: str, name: str) -> str:
    return f"{path} › {name}" if path else name


def _label(name: Any) -> str:
    return iso_second(name) if isinstance(name, int) and name >= _LEAST_MS else str(name)


def _shown(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:79]}…"
