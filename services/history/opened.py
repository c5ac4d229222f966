"""Opens history's tables for other commands, whether history runs or not. They may lack its packages."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from services.history.data_folder import holds_data
from shared.events.stored import StoredHistory
from shared.privacy.visitor_history import VisitorHistory
from shared.runtime.configuration import ConfigurationError


@contextmanager
def opened_history(url: str | None, folder: Path) -> Iterator[VisitorHistory | None]:
    """As `OpenHistory`."""
    with _reached(url, folder) as found:
        if found is None:
            yield None
            return
        from services.history.sql.visitors import SqlVisitors

        yield SqlVisitors(*found)


@contextmanager
def opened_stored(url: str | None, folder: Path) -> Iterator[StoredHistory | None]:
    """As `OpenStored`."""
    with _reached(url, folder) as found:
        if found is None:
            yield None
            return
        from services.history.sql.stored_events import SqlStored

        with closing(SqlStored(*found)) as stored:
            yield stored


@contextmanager
def _reached(url: str | None, folder: Path) -> Iterator[tuple[Callable[[], str], str] | None]:
    """What returns the connection string, and the address without secrets. None where neither names a database.

    Raises ConfigurationError.
    """
    if url is None and not holds_data(folder):
        yield None
        return
    try:
        from services.history.embedded import reached_server
        from services.history.sql.connecting import address_of, checked_url
    except ModuleNotFoundError as error:
        setting = "HISTORY_DIR" if url is None else "HISTORY_URL"
        raise ConfigurationError(
            f'{setting}: {error.name} is not installed; pip install "clickpulse[history]"'
        ) from None
    if url is not None:
        given = checked_url(url)
        yield lambda: given, address_of(url)
        return
    with reached_server(folder) as reached:
        yield reached, str(folder)
