"""Files with secrets: the key that signs, and what an operator puts into files rather than the environment."""

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

from shared.runtime.configuration import ConfigurationError
from shared.runtime.logs import get_logger

logger = get_logger(__name__)

_LEAST_BYTES: Final = 32
_MOST_BYTES: Final = 65_536
_OF_OTHERS: Final = 0o077


def read_text(path: Path, variable: str) -> str:
    """The file's text. Raises ConfigurationError that names the variable, never the content."""
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
            mode = os.fstat(file.fileno()).st_mode
        text = content.decode()
    except OSError as error:
        raise ConfigurationError(f"{variable}: cannot read {path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{variable}: {path} is not a text file in UTF-8") from None
    if len(content) > _MOST_BYTES:
        raise ConfigurationError(f"{variable}: {path} has more than {_MOST_BYTES} bytes")
    if mode & _OF_OTHERS:
        logger.warning("other users can read a secret", variable=variable, file=str(path), remedy=f"chmod 600 {path}")
    return text


def signing_key(path: Path | None, variable: str = "DASHBOARD_SECRET_FILE") -> bytes:
    """The key in the file, which is written if it is missing; a random one without a file."""
    if path is None:
        return secrets.token_bytes(_LEAST_BYTES)
    with suppress(FileExistsError):
        _write_new(path, secrets.token_urlsafe(_LEAST_BYTES) + "\n", variable)
    text = read_text(path, variable).strip()
    if len(text) < _LEAST_BYTES:
        raise ConfigurationError(
            f"{variable}: expected at least {_LEAST_BYTES} characters in {path}; delete the file to have one written"
        )
    return text.encode()


def _write_new(path: Path, text: str, variable: str) -> None:
    """Write the file at once with its content, so that a process that starts meanwhile sees all of it or nothing."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        if path.exists():
            return
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        os.link(part, path)  # unlike a rename, fails if another process was first
    except FileExistsError:
        raise
    except OSError as error:
        raise ConfigurationError(f"{variable}: cannot write {path}: {error.strerror or error}") from None
    finally:
        part.unlink(missing_ok=True)
