"""Opens history's tables for `clickpulse forget` and `export`, whether history runs or not."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.history.data_folder import holds_data
from shared.privacy.visitor_history import VisitorHistory
from shared.runtime.configuration import ConfigurationError


@contextmanager
def opened_history(url: str | None, folder: Path) -> Iterator[VisitorHistory | None]:
    """As `OpenHistory`."""
    if url is None and not holds_data(folder):
        yield None
        return
    try:
        from services.history.embedded import reached_server
        from services.history.sql.connecting import address_of, checked_url
        from services.history.sql.visitors import SqlVisitors
    except ModuleNotFoundError as error:
        setting = "HISTORY_DIR" if url is None else "HISTORY_URL"
        raise ConfigurationError(
            f'{setting}: {error.name} is not installed; pip install "clickpulse[history]"'
        ) from None
    if url is not None:
        given = checked_url(url)
        yield SqlVisitors(lambda: given, address_of(url))
        return
    with reached_server(folder) as reached:
        yield SqlVisitors(reached, str(folder))
