"""Figures of sessions over history's API equal a count by brute force over the same events."""

import io
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

import pyarrow.ipc
import pytest

from shared.events.schema import EnrichedEvent
from tests.support.history_api import Client, instant, ms, retire, serving, store

NOW = datetime.now(UTC)
METRICS = ("sessions", "bounces", "bounce_rate", "views_per_session", "seconds_per_session")
ASKED = {"metrics": ",".join(METRICS), "window": "7d"}
SITES = ("", "other.example", "shop.example")
GAP_S = 1_800


class Session(NamedTuple):
    """One of the events below."""

    site: str
    is_bot: bool
    starts_s: int
    views: int
    seconds: int


@pytest.fixture(scope="module")
def events() -> list[EnrichedEvent]:
    chance = random.Random(7)
    return [
        EnrichedEvent(
            timestamp=ms(NOW) - chance.randrange(36 * 3_600_000),
            userId=f"visitor-{chance.randrange(4)}",
            eventId=f"{number}",
            country=chance.choice(["Peru", "Kenya"]),
            deviceType=chance.choice(["Desktop", "Desktop", "Bot"]),
            site=chance.choice([None, "shop.example", "other.example"]),
            value=chance.choice([None, "5"]),
        )
        for number in range(1_500)
    ]


@pytest.fixture(scope="module")
def client(postgres_server: Any, events: list[EnrichedEvent]) -> Iterator[Client]:
    url = postgres_server.new_database("history_api_sessions")
    store(url, events, ms(NOW), raw_days=36_500, today=NOW.date())
    with serving(url) as client:
        yield client


@pytest.fixture(scope="module")
def sessions(events: list[EnrichedEvent]) -> list[Session]:
    """The sessions of the events, visitor by visitor."""
    seconds = defaultdict(list)
    for own in events:
        seconds[own.userId, own.site or "", own.deviceType == "Bot"].append(own.timestamp // 1000)
    found = []
    for (_, site, is_bot), times in seconds.items():
        times.sort()
        ends = [place for place, (one, other) in enumerate(pairwise(times), 1) if other - one >= GAP_S]
        for first, last in pairwise([0, *ends, len(times)]):
            found.append(Session(site, is_bot, times[first], last - first, times[last - 1] - times[first]))
    assert 300 < len(found) < 900, "the events make too few sessions, or none of several events"
    return found


def figures(own: Sequence[Session]) -> dict[str, Any]:
    number, bounces = len(own), sum(one.views == 1 for one in own)
    return {
        "sessions": number,
        "bounces": bounces,
        "bounce_rate": round(bounces / number, 4) if number else None,
        "views_per_session": round(sum(one.views for one in own) / number, 1) if number else None,
        "seconds_per_session": round(sum(one.seconds for one in own) / number, 1) if number else None,
    }


QUESTIONS: list[tuple[dict[str, Any], Sequence[str], Sequence[bool]]] = [
    ({}, SITES, (True, False)),
    ({"audience": "human"}, SITES, (False,)),
    ({"audience": "bot", "site": "shop.example"}, ("shop.example",), (True,)),
    ({"deviceType": "Bot", "site": ["", "other.example"]}, ("", "other.example"), (True,)),
    ({"audience": "human", "deviceType": "Bot"}, SITES, ()),
]


@pytest.mark.parametrize(("asked", "sites", "bots"), QUESTIONS)
def test_sessions_equal_brute_force(
    client: Client, sessions: list[Session], asked: dict[str, Any], sites: Sequence[str], bots: Sequence[bool]
) -> None:
    own = [one for one in sessions if one.site in sites and one.is_bot in bots]
    whole = client.said("aggregate", **ASKED, **asked)
    assert (whole["rows"], whole["notes"]) == ([figures(own)], [])
    assert set(whole["source"].values()) == {"rollups"}
    # Days of Kathmandu begin at a quarter past an hour, so their ends come from the rollups of minutes.
    days = client.said("timeseries", **ASKED, **asked, interval="day", timezone="Asia/Kathmandu")["rows"]
    for row in days:
        start, end = (instant(row.pop(name)).timestamp() for name in ("from", "to"))
        assert row == figures([one for one in own if start <= one.starts_s < end])
    assert sum(row["sessions"] for row in days) == len(own)


@pytest.mark.parametrize("first", METRICS)
def test_sites_are_in_the_order_of_the_first_figure(client: Client, sessions: list[Session], first: str) -> None:
    metrics = (first, *(metric for metric in METRICS if metric != first))
    said = client.said("breakdown", by="site", window="7d", metrics=",".join(metrics), limit="2")
    rows = [{"name": site, **figures([one for one in sessions if one.site == site])} for site in SITES]
    rows.sort(key=lambda row: (-row[first], row["name"]))
    assert (said["rows"], said["more"]) == (rows[:2], 1)


def test_sessions_stand_beside_views_and_sales(client: Client, sessions: list[Session]) -> None:
    asked = {"by": "site", "window": "7d"}
    alone = {
        metrics: {row["name"]: row for row in client.said("breakdown", **asked, metrics=metrics)["rows"]}
        for metrics in ("views,visitors", "orders", "sessions,bounces")
    }
    beside = client.said("breakdown", **asked, metrics="views,visitors,sessions,bounces,orders")["rows"]
    for row in beside:
        assert row == {name: value for own in alone.values() for name, value in own[row["name"]].items()}
    assert sum(row["sessions"] for row in beside) == len(sessions)


@pytest.mark.parametrize("asked", [{"country": "Peru"}, {"deviceType": "Desktop"}, {"deviceType": ["Bot", "Desktop"]}])
def test_under_other_filters_sessions_are_unknown_and_the_rest_is_not(client: Client, asked: dict[str, Any]) -> None:
    said = client.said("aggregate", window="7d", metrics="views,sessions,bounce_rate", **asked)
    assert said["rows"][0]["views"] > 0
    assert (said["rows"][0]["sessions"], said["rows"][0]["bounce_rate"]) == (None, None)
    assert said["notes"] == ["sessions are known by site and audience alone, so these are unknown under other filters"]
    by_country = client.said("breakdown", window="7d", by="country", metrics="views,sessions")
    assert [row["sessions"] for row in by_country["rows"]] == [None, None]
    assert by_country["notes"] == ["sessions are known by site and audience alone; expected by=site with sessions"]


@pytest.mark.parametrize(
    ("asked", "parameter"),
    [
        ({"by": "country", "metrics": "sessions"}, "by"),
        ({"by": "site", "metrics": "bounce_rate", "category": "Books"}, "category"),
        ({"by": "age", "metrics": "sessions"}, "metrics"),
        ({"by": "site", "metrics": "sessions", "from_": "2026-11-01T00:00:01Z"}, "from"),
    ],
)
def test_what_no_rollup_of_sessions_has_is_a_mistake(client: Client, asked: dict[str, Any], parameter: str) -> None:
    answered = client.ask("breakdown", **asked)
    assert (answered.status, answered.said["parameter"]) == (400, parameter)


def test_within_a_minute_sessions_are_unknown(client: Client) -> None:
    said = client.said("realtime", metrics="sessions,views")
    assert {row["sessions"] for row in said["rows"]} == {None}
    assert said["notes"] == ["sessions are known by whole minutes, so these are unknown"]


def test_sessions_of_a_running_window_are_compared(client: Client, sessions: list[Session]) -> None:
    start, end = (NOW - days * timedelta(days=1) for days in (1, 0))
    midnight = end.replace(hour=0, minute=0, second=0, microsecond=0)
    asked = {"from_": f"{start:%Y-%m-%d}", "to": f"{midnight:%Y-%m-%d}", "metrics": "sessions", "compare": "yesterday"}
    said = client.said("aggregate", **asked)
    until = midnight.timestamp()
    by_day = [
        sum(until - days * 86_400 <= one.starts_s < until - (days - 1) * 86_400 for one in sessions) for days in (1, 2)
    ]
    assert [said["rows"][0]["sessions"], said["compare"]["rows"][0]["sessions"]] == by_day


def test_ratios_are_fractions_in_csv_and_arrow(client: Client, sessions: list[Session]) -> None:
    whole = figures(sessions)
    csv = client.ask("aggregate", {"Accept": "text/csv"}, **ASKED).body.decode().splitlines()
    assert csv == [",".join(METRICS), ",".join(str(whole[metric]) for metric in METRICS)]
    arrow = client.ask("aggregate", {"Accept": "application/vnd.apache.arrow.stream"}, **ASKED).body
    table = pyarrow.ipc.open_stream(io.BytesIO(arrow)).read_all()
    assert table.to_pylist() == [whole]
    assert [str(field.type) for field in table.schema] == ["int64", "int64", "double", "double", "double"]


def test_where_minutes_are_dropped_whole_hours_stay_known(
    history_url: str, events: list[EnrichedEvent], sessions: list[Session]
) -> None:
    store(history_url, events, ms(NOW), raw_days=36_500, today=NOW.date())
    retire(history_url, raw_days=0, minute_days=0, today=NOW.date())
    with serving(history_url) as client:
        assert client.said("aggregate", **ASKED)["rows"] == [figures(sessions)]
        kathmandu = {**ASKED, "interval": "day", "timezone": "Asia/Kathmandu"}
        said = client.said("timeseries", **kathmandu)
        assert None in {row["sessions"] for row in said["rows"]}
        assert "no longer kept" in said["notes"][0]
        answered = client.ask("breakdown", **kathmandu, by="site")
        assert (answered.status, answered.said["parameter"]) == (400, "from")
