"""The options of history as the log shows them."""

from pathlib import Path

from services.history.settings import HistorySettings


def test_the_log_says_which_postgresql_history_uses() -> None:
    own = HistorySettings(history_dir=Path("kept")).shown()
    assert (own["history_dir"], "postgres" in own) == ("kept", False)
    url = "postgresql://clickpulse:hunter2@db.example:6543/shop"
    given = HistorySettings(history_url=url, history_dir=Path("kept")).shown()
    assert (given["postgres"], "history_dir" in given) == ("db.example:6543/shop", False)
    assert "hunter2" not in str(given)
