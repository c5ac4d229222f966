"""Secrets from files: NAME_FILE names the file that holds the secret setting NAME, as containers mount them."""

import os
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import PydanticBaseSettingsSource

from shared.runtime.configuration import ConfigurationError


def is_secret(field: FieldInfo) -> bool:
    """Whether a setting is kept out of logs and messages."""
    return not field.repr


class SecretFiles(PydanticBaseSettingsSource):
    """The secret settings whose files the environment names. Read once; a new password needs a restart."""

    def __call__(self) -> dict[str, Any]:
        """Raises ConfigurationError for an unreadable or empty file, and for a secret that is given twice."""
        found = {}
        for name, field in self.settings_cls.model_fields.items():
            variable = f"{name.upper()}_FILE"
            path = os.environ.get(variable)
            if not path or not is_secret(field):
                continue
            if os.environ.get(name.upper()):
                raise ConfigurationError(f"{variable}: is set, and so is {name.upper()}; set one of them")
            found[name] = _secret(variable, Path(path))
        return found

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Unused: `__call__` answers for all fields."""
        raise NotImplementedError


def _secret(variable: str, path: Path) -> str:
    try:
        secret = path.read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ConfigurationError(f"{variable}: cannot read {path}: {reason}") from None
    if not secret:
        raise ConfigurationError(f"{variable}: {path} is empty")
    return secret
