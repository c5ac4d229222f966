"""Who may ask history's API and how much, what it says while PostgreSQL is busy or away, and attacks on parameters."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from services.history.api.keys import new_key
from services.history.columns.days import Columns
from services.history.questions.parameters import PARAMETERS
from services.history.questions.question import KINDS
from services.history.questions.state import Run
from services.history.questions.statements import Statement
from services.history.sql.reading import Reader
from shared.events.schema import EnrichedEvent
from tests.conftest import or_skip
from tests.support.history_api import Client, ms, retire, serving, store
from tests.support.own_loop import run
from tests.support.polling import eventually
from tests.support.servers.postgres import running_postgres

NOW = datetime.now(UTC)
EVENTS = [
    EnrichedEvent(timestamp=ms(NOW) - place, userId=f"visitor-{place}", productId="P1", eventId=f"{place}")
    for place in range(20)
]


@pytest.fixture
def stored(history_url: str) -> str:
    store(history_url, EVENTS, ms(NOW), raw_days=30, today=NOW.date())
    return history_url


@pytest.fixture(scope="module")
def client(postgres_server: Any) -> Iterator[Client]:
    url = postgres_server.new_database("history_api_limits")
    store(url, EVENTS, ms(NOW), raw_days=30, today=NOW.date())
    with serving(url) as client:
        yield client


def test_keys_open_the_api_and_their_rates_are_limited(stored: str, tmp_path: Path) -> None:
    (slow, slow_lines), (fast, fast_lines) = new_key("slow"), new_key("fast")
    file = tmp_path / "keys.toml"
    file.write_text(f"{slow_lines}requests_per_minute = 1\n{fast_lines}")
    with serving(stored, keys_file=file) as client:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {fast}"}):
            refused = client.ask("aggregate", headers)
            assert (refused.status, refused.headers["www-authenticate"]) == (401, "Bearer")
        # Any name: a proxy in front of it has its own.
        named = {"Authorization": f"bearer {fast}", "Host": "history.example"}
        assert client.ask("aggregate", named).status == 200
        answers = [client.ask("aggregate", {"Authorization": f"Bearer {slow}"}) for _ in range(61)]
        assert [own.status for own in answers] == [200] * 60 + [429]
        assert 30 < int(answers[-1].headers["retry-after"]) <= 61
        assert client.ask("aggregate", named).status == 200


def test_while_postgres_is_away_it_says_when_to_ask_again() -> None:
    with or_skip(running_postgres) as server:
        url = server.new_database("history")
        store(url, EVENTS, ms(NOW), raw_days=30, today=NOW.date())
        with serving(url) as client:
            assert client.ask("aggregate").status == 200
            server.crash()
            away = client.ask("aggregate")
            assert (away.status, away.headers["retry-after"], away.said["error"]) == (503, "5", "database_unavailable")
            server.start()
            eventually(lambda: client.ask("aggregate").status == 200, "it answers again", 60)


def test_a_slow_question_ends(stored: str) -> None:
    with psycopg.connect(stored) as blocker, serving(stored, seconds=0.5) as client:
        blocker.execute("LOCK TABLE history_raw")
        slow = client.ask("aggregate")
        assert (slow.status, slow.said["error"], slow.headers["retry-after"]) == (503, "too_slow", "5")
        blocker.rollback()
        assert client.ask("aggregate").status == 200


def test_questions_wait_for_their_turn_and_beyond_a_bound_are_turned_away(stored: str) -> None:
    with psycopg.connect(stored) as blocker, serving(stored, seconds=60, questions=1) as client:
        blocker.execute("LOCK TABLE history_raw")
        with ThreadPoolExecutor(80) as pool:
            asked = [pool.submit(client.ask, "aggregate") for _ in range(80)]
            eventually(lambda: sum(own.done() for own in asked) == 80 - 65, "all others wait", 60)
            blocker.rollback()
            answers = [own.result() for own in asked]
    assert Counter(own.status for own in answers) == {200: 65, 503: 15}
    assert {own.said["error"] for own in answers if own.status == 503} == {"busy"}


def test_events_are_stored_while_a_question_is_open_and_it_sees_none_of_them(stored: str) -> None:
    count = Statement(
        "SELECT (SELECT count(*) FROM events), (SELECT sum(views) FROM traffic_1d WHERE dimension = 'all')"
    )
    more = [EnrichedEvent(timestamp=ms(NOW), userId="late", eventId="late")]

    async def ask_twice(query: Run, _columns: Columns | None) -> list[Any]:
        before = await query(count)
        await asyncio.to_thread(store, stored, more, ms(NOW), raw_days=30, today=NOW.date())
        return [before, await query(count)]

    async def ask() -> list[Any]:
        reader = Reader(lambda: stored, connections=1, seconds=60, most_bytes=0)
        try:
            return [*await reader.ask(ask_twice), await reader.ask(lambda query, _columns: query(count))]
        finally:
            await reader.close()

    assert run(ask()) == [[(20, 20)], [(20, 20)], [(21, 21)]]


def test_the_api_cannot_write(stored: str) -> None:
    with psycopg.connect(stored, autocommit=True) as owner:
        spoil = "DELETE FROM events RETURNING current_date"
        owner.execute(sql.SQL("CREATE FUNCTION spoil() RETURNS date LANGUAGE sql AS {}").format(spoil))
        owner.execute("ALTER TABLE history_raw RENAME TO own_raw")
        owner.execute("CREATE VIEW history_raw AS SELECT spoil() AS kept_from, current_date AS minutes_from")
        with serving(stored) as client:
            assert client.ask("aggregate").status == 503
        assert owner.execute("SELECT count(*) FROM events").fetchone() == (20,)


HOSTILE = [
    *("' OR '1'='1", "'; DROP TABLE events; --", '"; DROP TABLE events; --', "\\'; SELECT pg_sleep(9); --", "1;COMMIT"),
    *("$$", "%s", "%(limit)s", "{}", "{0}", "names_0", "'::regclass", "(SELECT 1)", "E'\\000'"),
    *("\0", "\ufffd", "1e999", "-1", "all", "☃" * 200),
]
USUAL = [
    "4h",
    "30d",
    "day",
    "Europe/Berlin",
    "2026-11-28",
    "visitors,views",
    "profit,views",
    "age",
    "country",
    "10",
    "last_year",
    "human",
    "",
]
TEXTS = st.one_of(st.sampled_from(HOSTILE), st.sampled_from(USUAL), st.text(max_size=20))
NAMES = st.one_of(st.sampled_from([own.name for own in PARAMETERS]), st.sampled_from(HOSTILE), st.text(max_size=8))


@given(kind=st.sampled_from(KINDS), pairs=st.lists(st.tuples(NAMES, TEXTS), max_size=5))
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_parameter_reaches_sql_as_text(client: Client, kind: str, pairs: list[tuple[str, str]]) -> None:
    answered = client.get(f"/api/v1/{kind}?{urlencode(pairs, errors='surrogatepass')}")
    assert answered.status in (200, 400), answered.body
    if answered.status == 400:
        assert set(answered.said) == {"error", "parameter", "message"}
        for word in ("SELECT", "Traceback", "psycopg", "events_"):
            assert word not in answered.said["message"]


def test_it_says_since_when_it_has_events(history_url: str) -> None:
    first = NOW.replace(hour=10, minute=17, second=30, microsecond=0) - timedelta(days=3)
    event = EnrichedEvent(timestamp=ms(first), userId="A")
    store(history_url, [event, *EVENTS], ms(NOW), raw_days=30, today=NOW.date())
    with serving(history_url) as client:
        assert client.said("aggregate")["since"] == f"{first:%Y-%m-%dT10:17:00Z}"
        retire(history_url, raw_days=30, today=NOW.date(), minute_days=1)
        assert client.said("aggregate")["since"] == f"{first:%Y-%m-%dT10:00:00Z}"


def test_hostile_values_match_nothing(client: Client) -> None:
    for parameter in PARAMETERS:
        kind = next(kind for kind in KINDS if kind in parameter.kinds)
        for text in HOSTILE:
            answered = client.ask(kind, **{parameter.name: text})
            is_name = parameter.is_repeated
            assert answered.status == (200 if is_name or (parameter.name, text) == ("audience", "all") else 400)
            if is_name:
                assert answered.said["rows"] == [{"views": 0, "visitors": 0}]
    assert client.said("aggregate")["rows"] == [{"views": 20, "visitors": 20}]
