"""The settings part of a command's `--help`, generated from its settings class. Pure."""

import types
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from textwrap import fill
from typing import Final, Literal, get_args, get_origin

from pydantic_settings import BaseSettings

from shared.runtime.secret_files import is_secret

SERVICE_EXIT_CODES: Final = (
    "Exit codes: 0 stopped, 1 failed, 2 wrong option or setting, 3 another process does this work."
)
_WIDTH: Final = 100


def service_parser(
    name: str, description: str, settings_type: type[BaseSettings], exit_codes: str = SERVICE_EXIT_CODES
) -> ArgumentParser:
    """The parser of a service, which has no options: its settings are environment variables."""
    return ArgumentParser(
        prog=f"clickpulse {name}",
        description=fill(description, _WIDTH),
        epilog=f"{settings_help(settings_type)}\n\n{exit_codes}",
        formatter_class=RawDescriptionHelpFormatter,
    )


def settings_help(settings_type: type[BaseSettings]) -> str:
    """Each variable with its default, its meaning and its choices, in the order of the class."""
    lines = ["environment variables, with their defaults:"]
    for name, field in settings_type.model_fields.items():
        lines.append(f"  {name.upper()}={as_variable(field.default)}")
        found = choices(field.annotation)
        meaning = f"{field.description} One of {', '.join(found)}." if found else f"{field.description}"
        if is_secret(field):
            meaning += f" Or set {name.upper()}_FILE to a file that holds it."
        lines.append(fill(meaning, _WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6))
    return "\n".join(lines)


def as_variable(default: object) -> str:
    """A default as it is written in the environment; empty is not set."""
    if default is None:
        return ""
    if isinstance(default, bool):
        return str(default).lower()
    return f"{default:g}" if isinstance(default, float) else str(default)


def choices(annotation: object) -> tuple[str, ...]:
    """The values of a Literal, or of one within a union; none for another type."""
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    if isinstance(annotation, types.UnionType) or get_origin(annotation) is not None:
        return next((found for part in get_args(annotation) if (found := choices(part))), ())
    return ()
