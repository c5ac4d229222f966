"""The PostgreSQL that history runs itself: restarted after a crash, taken over after a kill, used by one process."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from services.history.embedded import embedded_server
from services.history.opened import opened_history
from services.history.sql.connecting import connect
from services.history.sql.migrating import migrate
from shared.privacy.visitor_history import HistoryUnavailable
from shared.runtime.settings import ConfigurationError
from tests.support.polling import eventually
from tests.support.servers.postgres import reachable_folder

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the wheel's server is not for Windows")


@pytest.fixture
def folder() -> Iterator[Path]:
    with reachable_folder() as reachable:
        yield reachable / "history"


def postmaster(folder: Path) -> int:
    return int((folder / "postmaster.pid").read_text().split()[0])


def rows(url: Callable[[], str]) -> list[tuple[int]]:
    with connect(url) as connection:
        return connection.execute("SELECT id FROM kept ORDER BY id").fetchall()


def test_it_keeps_its_data_over_stops_and_crashes(folder: Path) -> None:
    with embedded_server(folder) as url:
        with connect(url) as connection:
            connection.execute("CREATE TABLE kept (id integer)")
            connection.execute("INSERT INTO kept VALUES (1)")
        crashed = postmaster(folder)
        os.kill(crashed, signal.SIGQUIT)  # an immediate shutdown
        eventually(lambda: not (folder / "postmaster.pid").exists(), "it has ended", 30)
        assert rows(url) == [(1,)]
        assert postmaster(folder) != crashed
        with pytest.raises(ConfigurationError, match="another process"), embedded_server(folder):
            pass
    assert not (folder / "postmaster.pid").exists()
    with embedded_server(folder) as url:
        assert rows(url) == [(1,)]


def test_the_server_ends_with_a_killed_process_and_keeps_its_data(folder: Path) -> None:
    script = (
        "import sys, pathlib, os, signal, psycopg\n"
        "from services.history.embedded import embedded_server\n"
        "with embedded_server(pathlib.Path(sys.argv[1])) as url:\n"
        "    with psycopg.connect(url(), autocommit=True) as connection:\n"
        "        connection.execute('CREATE TABLE kept AS SELECT 1 AS id')\n"
        "    os.killpg(0, signal.SIGKILL)\n"
    )
    command = [sys.executable, "-c", script, str(folder)]
    killed = subprocess.run(command, capture_output=True, timeout=60, start_new_session=True)
    assert killed.returncode == -signal.SIGKILL
    eventually(lambda: not (folder / "postmaster.pid").exists(), "it has ended", 30)
    with embedded_server(folder) as url:
        assert rows(url) == [(1,)]
    assert not (folder / "postmaster.pid").exists()


def test_it_is_reached_through_its_socket_alone(folder: Path) -> None:
    with embedded_server(folder) as url, psycopg.connect(url()) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)


def test_a_command_reaches_the_server_of_another_process_or_runs_its_own(folder: Path) -> None:
    with opened_history(None, folder) as nothing:
        assert nothing is None
    with embedded_server(folder) as url:
        migrate(url)
        with opened_history(None, folder) as of_another:
            assert of_another is not None
            assert of_another.count(["ann"], 0) == 0
        running = postmaster(folder)
        os.kill(running, signal.SIGQUIT)
        eventually(lambda: not (folder / "postmaster.pid").exists(), "it has ended", 30)
        with opened_history(None, folder) as crashed:
            assert crashed is not None
            with pytest.raises(HistoryUnavailable, match="starting or down"):
                crashed.count(["ann"], 0)
    with opened_history(None, folder) as own:
        assert own is not None
        assert own.count(["ann"], 0) == 0
        assert (folder / "postmaster.pid").exists()
    assert not (folder / "postmaster.pid").exists()
