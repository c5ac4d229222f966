"""Serves history's API alone, as `clickpulse history` serves it, until its standard input ends."""

import sys
from typing import Final

from services.history.api.serving import api
from services.history.api.settings import ApiSettings
from shared.runtime.history_place import HistoryPlaceSettings
from shared.runtime.logs import configure_logs
from shared.runtime.settings import read_settings
from shared.status.health import Health

READY: Final = "ready"


class _Settings(ApiSettings, HistoryPlaceSettings):
    """Where the tables are, and where the API listens."""


def main() -> int:
    """Serve; prints READY when it listens. It logs to standard error."""
    configure_logs("history", "json", "INFO")
    settings = read_settings(_Settings)
    url = settings.history_url
    assert url is not None, "HISTORY_URL"
    with api(settings, lambda: url, Health("history")):
        print(READY, flush=True)  # noqa: T201 - read by `running_api`
        sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(main())
