"""Complaints about wrong settings: the variable, the problem, the given value unless it is secret, and a valid example.

Pure.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from shared.events.refusals import dead_letter_topic
from shared.runtime.secret_files import is_secret
from shared.runtime.settings_help import as_variable, choices

_LONGEST: Final = 80


def same_topics(topics: Mapping[str, str]) -> list[str]:
    """A complaint about each topic whose records, or dead letters, would be in another one of these topics."""
    owners: dict[str, str] = {}
    return [
        f"{variable}: {name!r} is a topic of {owner} as well; expected another name"
        for variable, topic in topics.items()
        for name in (topic, dead_letter_topic(topic))
        if (owner := owners.setdefault(name, variable)) != variable
    ]


def complaints_of(settings_type: type[BaseSettings], error: ValidationError) -> list[str]:
    """One complaint per setting that pydantic rejected, as `VARIABLE: …`. Contains no secrets."""
    complaints = []
    for problem in error.errors(include_url=False):
        if not problem["loc"]:  # it concerns several settings; its input holds all of them, with the secrets
            complaints.append(str(problem["ctx"]["error"]) if "ctx" in problem else problem["msg"])
            continue
        name = str(problem["loc"][0])
        field = settings_type.model_fields.get(name)
        reason = _without_logins(problem["msg"].removeprefix("Value error, "), problem["input"])
        complaint = f"{name.upper()}: {reason}{'' if field is None or is_secret(field) else given(problem['input'])}"
        complaints.append(complaint if field is None else f"{complaint}{_example(name, field)} ({field.description})")
    return complaints


def _without_logins(reason: str, value: object) -> str:
    """A validator's own message, which may quote a part of the value."""
    for part in re.split(r"[,\s]+", str(value)):
        if "@" in part:
            reason = reason.replace(part, "…")
    return reason


def given(value: object) -> str:
    """The rejected value, unless it may contain a login."""
    text = repr(value)
    return "" if "@" in text else f", got {text if len(text) <= _LONGEST else f'{text[:_LONGEST]}…'}"


def _example(name: str, field: FieldInfo) -> str:
    """A valid value, where there is one to show."""
    valid: Any = field.examples or ([field.default] if field.default not in (None, "") else choices(field.annotation))
    return f"; for example {name.upper()}={as_variable(valid[0])}" if valid else ""
