"""Reads the fields of a JSON log by any of their names. Pure."""

from collections.abc import Mapping
from typing import Any

from services.traffic.formats.logs.log_times import parse_log_time_ms
from shared.events.refusals import Reason, Refusal
from shared.events.timestamps import parse_timestamp_ms


def text_of(fields: Mapping[str, Any], *names: str) -> str | None:
    """The first of these fields that holds text or a number, as text; of a list, its first item. None without one."""
    for name in names:
        value = fields.get(name)
        if isinstance(value, list) and value:
            value = value[0]
        if isinstance(value, str | int | float) and not isinstance(value, bool) and value not in ("", "-"):
            return str(value)
    return None


def time_ms_of(fields: Mapping[str, Any], *names: str) -> int | Refusal:
    """The first of these fields as epoch ms, or the refusal of a request without a time."""
    for name in names:
        value = fields.get(name)
        if isinstance(value, str) and value:
            found = parse_log_time_ms(value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found = parse_timestamp_ms(value)
        else:
            continue
        if found is None:
            return Refusal(Reason.BAD_TIMESTAMP, f"expected a time in {name}, got {value!r:.80}")
        return found
    return Refusal(Reason.BAD_TIMESTAMP, f"expected a time in {' or '.join(names)}")
