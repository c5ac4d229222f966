"""The folder of the PostgreSQL that history runs itself."""

from pathlib import Path

from shared.runtime.configuration import ConfigurationError


def holds_data(folder: Path) -> bool:
    """Whether PostgreSQL's data are in the folder. Raises ConfigurationError without the right to look."""
    try:
        return (folder / "PG_VERSION").exists()
    except PermissionError:
        raise ConfigurationError(f"HISTORY_DIR: no right to look into {folder}; run as the user of history") from None
