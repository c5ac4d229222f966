"""Serves the API in a thread of its own, beside what stores events."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from threading import Event, Thread
from typing import Final

from services.history.api.app import ApiApp
from services.history.api.keys import Key, read_keys
from services.history.api.settings import ApiSettings
from services.history.sql.connecting import Url
from services.history.sql.reading import Reader
from shared.runtime.configuration import ConfigurationError
from shared.runtime.http_server import serve
from shared.runtime.listening import listen
from shared.runtime.logs import get_logger
from shared.status.health import Health

logger = get_logger(__name__)

_PART: Final = "api"
_MOST_CONNECTIONS: Final = 512
_STOP_SECONDS: Final = 1


def keys_of(settings: ApiSettings) -> Sequence[Key] | None:
    """Who may ask; None is everybody on this machine. Raises ConfigurationError."""
    path = settings.api_keys_file
    if path is not None:
        return _read(path)
    if settings.history_api_port and not ip_address(settings.history_api_address).is_loopback:
        raise ConfigurationError(
            "API_KEYS_FILE: required, because HISTORY_API_ADDRESS is not loopback; "
            "`clickpulse api-key NAME` prints a key"
        )
    return None


def _read(path: Path) -> Sequence[Key]:
    try:
        return read_keys(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"API_KEYS_FILE: {path}: {error}") from None


@contextmanager
def api(settings: ApiSettings, url: Url, health: Health) -> Iterator[None]:
    """Answer questions while the block runs. Raises ConfigurationError. Storing goes on if this fails later."""
    keys = keys_of(settings)
    if not settings.history_api_port:
        yield
        return
    address, port = settings.history_api_address, settings.history_api_port
    reader = Reader(
        url,
        connections=settings.history_api_questions,
        seconds=settings.history_api_seconds,
        most_bytes=settings.history_columns_megabytes << 20,
    )
    app = ApiApp(reader, keys, currency=settings.revenue_currency)
    stop = Event()

    def run() -> None:
        try:
            serve(
                app,
                app.turn_away,
                listening,
                stop,
                most_connections=_MOST_CONNECTIONS,
                stop_seconds=_STOP_SECONDS,
                at_start=reader.start,
                at_end=reader.close,
            )
        except Exception:
            logger.exception("the API ended; events are stored all the same", port=port)
            health.degraded(_PART, "the API ended, see the log; restart history")

    with listen(address, port, "HISTORY_API", example_port=8090) as listening:
        thread = Thread(target=run, name="history-api")
        thread.start()
        logger.info("the API listens", address=address, port=port)
        try:
            yield
        finally:
            stop.set()
            thread.join()
