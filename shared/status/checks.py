"""Statuses and transitions as read from Redis, where anyone may have written them. Pure.

`status_of` and `transition_of` raise one of UNREADABLE_STATUS for what no service of ours reports.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from shared.status.metrics import REPORTED
from shared.status.replica_status import ReplicaStatus, Transition

UNREADABLE_STATUS: Final = (
    ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError, msgspec.MsgspecError,
)  # fmt: skip

_LATEST_MS: Final = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z
_GREATEST: Final = 2**53
"""Of any figure: what a JSON number holds exactly."""
_LONGEST_STATUS_BYTES: Final = 262_144  # a service with 1024 partitions takes a fifth of it
_LONGEST_NAME: Final = 300
_LONGEST_TEXT: Final = 4_000
_MOST_ENTRIES: Final = 2_048
_MOST_PARTITIONS: Final = 4_096

_decode_status: Final = msgspec.json.Decoder(ReplicaStatus).decode


def status_of(text: bytes) -> ReplicaStatus:
    """The status that a service reported as JSON."""
    if len(text) > _LONGEST_STATUS_BYTES:
        raise ValueError(f"{len(text)} bytes, more than {_LONGEST_STATUS_BYTES}")
    status = _decode_status(text)
    if not (0 <= status.started_at_ms <= _LATEST_MS and 0 <= status.reported_at_ms <= _LATEST_MS):
        raise ValueError("its times are out of range")
    for name in REPORTED:
        _check_figure(name, getattr(status, name))
    _check_texts(status.service, status.replica, status.version)
    if len(status.troubles) > _MOST_ENTRIES:
        raise ValueError(f"{len(status.troubles)} troubles")
    for part, trouble in status.troubles.items():
        _check_texts(part)
        _check_line(trouble.reason, trouble.since_ms)
    if status.last_complaint is not None:
        _check_line(status.last_complaint.message, status.last_complaint.at_ms)
    return status


def transition_of(fields: Mapping[bytes, bytes]) -> Transition:
    """The transition in an entry of the stream."""
    if len(fields) > _MOST_ENTRIES:
        raise ValueError(f"{len(fields)} fields")
    texts = {name.decode(): text.decode() for name, text in fields.items()}
    transition = msgspec.convert(texts, Transition, strict=False)
    _check_line(transition.message, transition.at_ms)
    _check_texts(transition.service, transition.replica)
    return transition


def _check_figure(name: str, value: Any) -> None:
    if isinstance(value, dict):
        if len(value) > _MOST_ENTRIES:
            raise ValueError(f"{name} has {len(value)} entries")
        for key, own in value.items():
            if not (0 <= key < _MOST_PARTITIONS if isinstance(key, int) else len(key) <= _LONGEST_NAME):
                raise ValueError(f"{name} has an entry that is out of range")
            _check_figure(name, own)
    elif value is not None and not 0 <= value <= _GREATEST:  # nor not a number
        raise ValueError(f"{name} is out of range")


def _check_texts(*names: str) -> None:
    if any(len(name) > _LONGEST_NAME for name in names):
        raise ValueError(f"a name is longer than {_LONGEST_NAME} characters")


def _check_line(text: str, at_ms: int) -> None:
    if len(text) > _LONGEST_TEXT:
        raise ValueError(f"a text is longer than {_LONGEST_TEXT} characters")
    if not 0 <= at_ms <= _LATEST_MS:
        raise ValueError("its time is out of range")
