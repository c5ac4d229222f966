"""The API of history on a real PostgreSQL: each answer equals a count by brute force over the same events."""

import csv
import io
import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from services.history.questions.dimensions import DIMENSIONS
from services.history.questions.windows import iso
from shared.events.schema import EnrichedEvent
from tests.support.history_api import Client, between, by_name, counts, field_of, instant, ms, retire, serving, store

NOW = datetime.now(UTC)
ARRIVAL = NOW.replace(microsecond=NOW.microsecond // 1000 * 1000) + timedelta(milliseconds=1)


def events_of(chance: random.Random, starts: Sequence[datetime], number: int) -> list[EnrichedEvent]:
    """Around each of these instants, so many events of few visitors."""
    return [
        EnrichedEvent(
            timestamp=ms(start) + chance.randrange(-2 * 86_400_000, 2 * 86_400_000),
            userId=f"visitor-{chance.randrange(9)}",
            eventId=f"{place}-{number_of}",
            productId=chance.choice([None, "P1", "P2", "P'; --"]),
            category=chance.choice([None, "Bücher", "shoes"]),
            country=chance.choice(["DE", "FR"]),
            deviceType=chance.choice(["Desktop", "Bot", "Mobile"]),
            browser=chance.choice(["Firefox", "Chrome"]),
            gender=chance.choice(["F", "M", "U"]),
            eventType=chance.choice(["page_view", "purchase"]),
            site=chance.choice(["shop.example", "blog.example"]),
            url=chance.choice(
                [None, "https://shop.example/a", "https://shop.example/b?utm_campaign=c&utm_source=mail"]
            ),
            referrer=chance.choice([None, "https://news.example/"]),
            age=chance.choice([None, 40]),
        )
        for place, start in enumerate(starts)
        for number_of in range(number)
    ]


@pytest.fixture(scope="module")
def events() -> list[EnrichedEvent]:
    chance = random.Random(20)
    changes = [datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)]
    return [own for own in events_of(chance, [*changes, NOW - timedelta(days=2)], 400) if own.timestamp < ms(NOW)]


@pytest.fixture(scope="module")
def url(postgres_server: Any, events: list[EnrichedEvent]) -> str:
    """Everything is kept."""
    url: str = postgres_server.new_database("history_api")
    store(url, events, ms(ARRIVAL), raw_days=36_500, today=NOW.date())
    return url


WAYS = {"in PostgreSQL": False, "in memory": True}


@pytest.fixture(scope="module", params=list(WAYS), ids=list(WAYS))
def client(url: str, request: pytest.FixtureRequest) -> Iterator[Client]:
    with serving(url, in_memory=WAYS[request.param]) as client:
        yield client


FILTERS: list[dict[str, Any]] = [
    {},
    {"category": "Bücher"},
    {"site": "shop.example"},
    {"site": "shop.example", "country": ["DE", "FR"]},
    {"productId": "P'; --", "gender": ["F", "U"]},
    {"audience": "human"},
    {"audience": "bot", "deviceType": ["Bot", "Mobile"]},
    {"source": "news.example"},
    {"country": "none of that name"},
]


def passing(events: Sequence[EnrichedEvent], filters: dict[str, Any]) -> list[EnrichedEvent]:
    found = list(events)
    for name, wanted in filters.items():
        if name == "audience":
            found = [own for own in found if (own.deviceType == "Bot") == (wanted == "bot")]
        else:
            found = [own for own in found if field_of(own, name) in ([wanted] if isinstance(wanted, str) else wanted)]
    return found


WINDOWS: list[dict[str, Any]] = [
    {"from_": "2026-03-28", "to": "2026-03-31", "timezone": "Europe/Berlin", "interval": "day"},  # 23 hours
    {"from_": "2026-10-24", "to": "2026-10-27", "timezone": "Europe/Berlin", "interval": "day"},  # 25 hours
    {"from_": "2026-10-24", "to": "2026-10-27", "timezone": "Asia/Kathmandu", "interval": "hour"},
    {"from_": "2026-10-25T00:00:30.5Z", "to": "2026-10-25T07:13:00+02:00", "interval": "minute"},
    {"from_": "2026-01-01", "to": "2027-01-01", "timezone": "America/New_York", "interval": "month"},
    {"window": "7d", "interval": "day"},
    {"window": "12mo", "timezone": "Europe/Berlin"},
    {"window": "3d"},
]


@pytest.mark.parametrize("filters", FILTERS, ids=str)
@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_counts_equal_brute_force(
    client: Client, events: list[EnrichedEvent], window: dict[str, Any], filters: dict[str, Any]
) -> None:
    wanted = passing(events, filters)
    said = client.said("timeseries", **window, **filters)
    edges = [(instant(row["from"]), instant(row["to"])) for row in said["rows"]]
    assert [before[1] for before in edges[:-1]] == [after[0] for after in edges[1:]]
    assert [{"views": row["views"], "visitors": row["visitors"]} for row in said["rows"]] == [
        counts(between(wanted, *own)) for own in edges
    ]
    assert said["as_of"] == iso(ARRIVAL)
    whole = (instant(said["window"]["from"]), instant(said["window"]["to"]))
    assert whole == (edges[0][0], edges[-1][1])
    assert client.said("aggregate", **window, **filters)["rows"] == [counts(between(wanted, *whole))]
    for by in ("country", "site", "gender", "campaign", "page", "category"):
        assert client.said("breakdown", by=by, **window, **filters)["rows"] == by_name(between(wanted, *whole), by)
        views = client.said("breakdown", by=by, metrics="views", **window, **filters)["rows"]
        assert views == [{"name": row["name"], "views": row["views"]} for row in by_name(between(wanted, *whole), by)]


@pytest.mark.parametrize("filters", FILTERS, ids=str)
def test_distributions_equal_brute_force(client: Client, events: list[EnrichedEvent], filters: dict[str, Any]) -> None:
    window = {"from_": "2026-10-24T11:30:10", "to": "2026-10-26"}
    wanted = between(passing(events, filters), instant("2026-10-24T11:30:10Z"), instant("2026-10-26T00:00:00Z"))
    ages = by_age(wanted)
    assert client.said("breakdown", by="age", **window, **filters)["rows"] == ages
    views = [{"name": row["name"], "views": row["views"]} for row in ages]
    assert client.said("breakdown", by="age", metrics="views", **window, **filters)["rows"] == views
    numbers = by_events_per_visitor(wanted)
    said = client.said("breakdown", by="eventsPerVisitor", limit=2, **window, **filters)
    assert (said["rows"], said["more"]) == (numbers[:2], max(0, len(numbers) - 2))
    assert client.ask("breakdown", by="age", metrics="revenue").said["parameter"] == "metrics"


def by_age(events: Sequence[EnrichedEvent]) -> list[dict[str, Any]]:
    """Those of the one age, and without one."""
    known = [
        ("40", [own for own in events if own.age is not None]),
        ("unknown", [own for own in events if not own.age]),
    ]
    return [{"name": name, **counts(own)} for name, own in known if own]


def by_events_per_visitor(events: Sequence[EnrichedEvent]) -> list[dict[str, Any]]:
    numbers = Counter(Counter(own.userId for own in events).values())
    return [
        {"name": str(number), "views": number * visitors, "visitors": visitors}
        for number, visitors in sorted(numbers.items())
    ]


def test_answers_in_memory_equal_brute_force_while_events_come(history_url: str) -> None:
    now = datetime.now(UTC)
    events = [own for own in events_of(random.Random(7), [now - timedelta(days=2)], 300) if own.timestamp < ms(now)]
    store(history_url, events[:100], ms(now), raw_days=30, today=now.date())
    with serving(history_url, in_memory=True) as client:
        for stored in (100, 101, 200, len(events)):
            store(history_url, events[:stored], ms(now), raw_days=30, today=now.date())
            for zone in ("UTC", "Europe/Berlin", "Asia/Kathmandu", "Europe/Berlin"):
                window = {"window": "7d", "interval": "day", "timezone": zone}
                totals = client.said("aggregate", **window)
                asked = between(events[:stored], instant(totals["window"]["from"]), instant(totals["window"]["to"]))
                assert len(asked) == stored
                assert totals["rows"] == [counts(asked)]
                assert client.said("breakdown", by="category", **window)["rows"] == by_name(asked, "category")
                assert client.said("breakdown", by="age", **window)["rows"] == by_age(asked)
                visits = client.said("breakdown", by="eventsPerVisitor", **window)["rows"]
                assert visits == by_events_per_visitor(asked)


@pytest.mark.parametrize("compare", ["previous", "yesterday", "last_week", "last_year"])
def test_compared_windows_equal_brute_force(client: Client, events: list[EnrichedEvent], compare: str) -> None:
    # Yesterday has 25 hours.
    window = {"from_": "2026-10-26", "to": "2026-10-27T12:00", "timezone": "Europe/Berlin", "compare": compare}
    first, last = {
        "previous": ("2026-10-24T13:00+02:00", "2026-10-26T00:00+01:00"),  # as long
        "yesterday": ("2026-10-25T00:00+02:00", "2026-10-26T12:00+01:00"),
        "last_week": ("2026-10-19T00:00+02:00", "2026-10-20T12:00+02:00"),
        "last_year": ("2025-10-26T00:00+02:00", "2025-10-27T12:00+01:00"),
    }[compare]
    start, end = instant(first), instant(last)
    said = client.said("aggregate", **window)["compare"]
    assert (instant(said["window"]["from"]), instant(said["window"]["to"])) == (start, end)
    assert said["with"] == compare
    assert said["rows"] == [counts(between(events, start, end))]
    series = client.said("timeseries", interval="day", **window)["compare"]["rows"]
    assert (instant(series[0]["from"]), instant(series[-1]["to"])) == (start, end)
    assert [row["views"] for row in series] == [
        len(between(events, instant(row["from"]), instant(row["to"]))) for row in series
    ]
    names = client.said("breakdown", by="country", limit=1, **window)
    assert {row["name"] for row in names["compare"]["rows"]} <= {names["rows"][0]["name"]}
    assert names["more"] == 1
    expected = [
        row for row in by_name(between(events, start, end), "country") if row["name"] == names["rows"][0]["name"]
    ]
    assert names["compare"]["rows"] == expected


def test_a_running_window_is_compared_with_as_much_of_the_earlier_one(
    client: Client, events: list[EnrichedEvent]
) -> None:
    day = timedelta(days=1)
    for kind, more in (("aggregate", {}), ("breakdown", {"by": "country"})):
        first = datetime.now(UTC)
        said = client.said(kind, window="24h", interval="hour", compare="yesterday", **more)["compare"]
        last = datetime.now(UTC)
        start, end = instant(said["window"]["from"]), instant(said["window"]["to"])
        assert end in {own.replace(second=0, microsecond=0) - day for own in (first, last)}
        earlier = between(events, start, end)
        assert said["rows"] == ([counts(earlier)] if kind == "aggregate" else by_name(earlier, "country"))
    curve = client.said("timeseries", window="24h", interval="hour", compare="yesterday")
    asked, earlier_rows = curve["rows"], curve["compare"]["rows"]
    assert [instant(row["to"]) - day for row in asked] == [instant(row["to"]) for row in earlier_rows]


def test_events_are_the_latest_first(client: Client, events: list[EnrichedEvent]) -> None:
    wanted = [
        own for own in passing(events, {"country": "FR"}) if own.timestamp >= ms(datetime(2026, 10, 1, tzinfo=UTC))
    ]
    said = client.said("events", from_="2026-10-01", country="FR", limit=300)["rows"]
    assert [row["timestamp"] for row in said] == [
        iso(own.datetime) for own in sorted(wanted, key=lambda own: own.timestamp, reverse=True)[:300]
    ]
    assert client.said("events", from_="1971-01-01", country="FR", limit=300)["rows"] == said
    by_id = {(row["timestamp"], row["userId"]): row for row in said}
    for own in wanted:
        row = by_id.get((iso(own.datetime), own.userId))
        if row is not None:
            assert {name: row[name] for name in DIMENSIONS} == {name: field_of(own, name) for name in DIMENSIONS}
            assert row["age"] == own.age
            assert "ip" not in row


def test_realtime_counts_the_last_minutes(history_url: str) -> None:
    now = datetime.now(UTC)
    # Far from the edges of the windows, however long the test waits for PostgreSQL.
    ages = {"ada": [0, 120], "bea": [8 * 60], "cy": [20 * 60, 21 * 60], "dee": [45 * 60], "eve": [120 * 60]}
    recent = [
        EnrichedEvent(timestamp=ms(now) - 1000 * seconds, userId=user, eventId=f"{user}{seconds}")
        for user, own in ages.items()
        for seconds in own
    ]
    store(history_url, recent, ms(now), raw_days=30, today=now.date())
    with serving(history_url) as client:
        assert client.said("realtime")["rows"] == [
            {"minutes": 5, "views": 2, "visitors": 1},
            {"minutes": 15, "views": 3, "visitors": 2},
            {"minutes": 30, "views": 5, "visitors": 3},
            {"minutes": 60, "views": 6, "visitors": 4},
        ]


def test_csv_and_arrow_have_the_rows(client: Client) -> None:
    question = {"by": "country", "window": "12mo", "compare": "last_year"}
    said = client.said("breakdown", **question)
    rows = [["asked", row["name"], str(row["views"]), str(row["visitors"])] for row in said["rows"]]
    text = client.ask("breakdown", {"Accept": "text/csv"}, **question)
    assert text.headers["content-type"] == "text/csv; charset=utf-8"
    assert list(csv.reader(io.StringIO(text.body.decode()))) == [["window", "name", "views", "visitors"], *rows]
    arrow = client.ask("events", {"Accept": "application/vnd.apache.arrow.stream, text/csv;q=0.5"}, window="7d")
    table = pa.ipc.open_stream(arrow.body).read_all()
    listed = client.said("events", window="7d")["rows"]
    assert [iso(at) for at in table["timestamp"].to_pylist()] == [row["timestamp"] for row in listed]
    assert table["country"].to_pylist() == [row["country"] for row in listed]
    assert table["age"].to_pylist() == [row["age"] for row in listed]
    assert "as_of" in json.loads(table.schema.metadata[b"clickpulse"])
    assert client.ask("events", {"Accept": "image/png"}).status == 406


@pytest.fixture(scope="module", params=list(WAYS), ids=list(WAYS))
def forgetful(postgres_server: Any, events: list[EnrichedEvent], request: pytest.FixtureRequest) -> Iterator[Client]:
    """Raw events are kept for a day."""
    url = postgres_server.new_database(f"history_api_forgetful_{WAYS[request.param]}")
    store(url, events, ms(ARRIVAL), raw_days=36_500, today=NOW.date())
    retire(url, raw_days=1, today=NOW.date())
    with serving(url, in_memory=WAYS[request.param]) as client:
        yield client


def test_what_rollups_know_is_told_where_raw_events_are_gone(forgetful: Client, events: list[EnrichedEvent]) -> None:
    berlin = {"from_": "2026-03-01", "to": "2026-05-01", "timezone": "Europe/Berlin"}
    start, end = instant("2026-02-28T23:00:00Z"), instant("2026-04-30T22:00:00Z")
    (row,) = forgetful.said("aggregate", **berlin)["rows"]
    assert (row["views"], row["visitors"]) == (len(between(events, start, end)), None)
    named = forgetful.said("breakdown", by="country", **berlin)["rows"]
    expected = {row["name"]: row["views"] for row in by_name(between(events, start, end), "country")}
    assert {row["name"]: row["views"] for row in named} == expected


def test_without_raw_events_visitors_are_by_day(forgetful: Client, events: list[EnrichedEvent]) -> None:
    march = {"from_": "2026-03-20", "to": "2026-04-10"}
    shop = passing(events, {"site": "shop.example"})
    (row,) = forgetful.said("aggregate", site="shop.example", **march)["rows"]
    spring = between(shop, datetime(2026, 3, 20, tzinfo=UTC), datetime(2026, 4, 10, tzinfo=UTC))
    per_day = {(own.datetime.date(), own.userId) for own in spring}
    assert row == {"views": len(spring), "visitors": None, "visitor_days": len(per_day)}
    said = forgetful.said("breakdown", by="country", site="shop.example", **march)
    assert said["source"] == {"views": "rollups", "visitors": "by_day"}
    assert "by day" in said["notes"][0]
    assert [row["views"] for row in said["rows"]] == [row["views"] for row in by_name(spring, "country")]
    assert {row["visitors"] for row in said["rows"]} == {None}
    # A day (UTC) of one site has them exactly.
    said = forgetful.said("timeseries", site="shop.example", interval="day", **march)
    assert said["source"] == {"views": "rollups", "visitors": "rollups"}
    assert [row["visitors"] for row in said["rows"]] == [
        counts(between(spring, instant(row["from"]), instant(row["to"])))["visitors"] for row in said["rows"]
    ]


def test_minutes_that_are_gone_are_told_by_raw_events_or_not_at_all(postgres_server: Any) -> None:
    url = postgres_server.new_database("history_api_minutes_gone")
    day = datetime(NOW.year, NOW.month, NOW.day, 10, tzinfo=UTC) - timedelta(days=20)
    early = [
        EnrichedEvent(timestamp=ms(day + timedelta(minutes=minute)), userId="ada", eventId=f"{minute}")
        for minute in (10, 11, 50)
    ]
    store(url, early, ms(ARRIVAL), raw_days=30, today=NOW.date())
    retire(url, raw_days=30, minute_days=7, today=NOW.date())
    late = EnrichedEvent(timestamp=ms(day + timedelta(minutes=30)), userId="bea", eventId="late")
    window = {"from_": iso(day + timedelta(minutes=5)), "to": iso(day + timedelta(minutes=55))}
    with serving(url) as client:
        assert client.said("aggregate", **window)["rows"] == [{"views": 3, "visitors": 1}]
        store(url, [late], ms(ARRIVAL), raw_days=30, today=NOW.date(), first_offset=3)
        assert client.said("aggregate", **window)["rows"] == [{"views": 4, "visitors": 2}]
        retire(url, raw_days=7, minute_days=7, today=NOW.date())
        assert client.said("aggregate", **window)["rows"][0]["views"] is None


def test_a_window_far_beyond_the_newest_event_ends_with_it(client: Client) -> None:
    near = client.said("events", from_="2026-10-24", limit=10_000)["rows"]
    assert client.said("events", from_="2026-10-24", to="2199-12-31", limit=10_000)["rows"] == near


def test_arrow_has_bounds_to_the_microsecond(client: Client) -> None:
    window = {"from_": "2026-10-24T10:00:00.000001Z", "to": "2026-10-24T11:00:00Z", "interval": "hour"}
    arrow = client.ask("timeseries", {"Accept": "application/vnd.apache.arrow.stream"}, **window)
    assert arrow.status == 200, arrow.body
    assert pa.ipc.open_stream(arrow.body).read_all()["from"].to_pylist() == [instant(window["from_"])]


def test_without_minutes_a_bucket_that_needs_them_is_unknown(postgres_server: Any, events: list[EnrichedEvent]) -> None:
    url = postgres_server.new_database("history_api_minutes")
    store(url, events, ms(ARRIVAL), raw_days=36_500, today=NOW.date())
    retire(url, raw_days=1, minute_days=2, today=NOW.date())
    with serving(url) as client:
        said = client.said("timeseries", window="7d", interval="day", timezone="Asia/Kathmandu", metrics="views")
        known = [row for row in said["rows"] if row["views"] is not None]
        assert 0 < len(known) < 7
        assert known == said["rows"][-len(known) :]
        for row in known:
            assert row["views"] == len(between(events, instant(row["from"]), instant(row["to"])))
        assert "no longer kept" in said["notes"][0]
        # Hours are kept.
        (row,) = client.said("aggregate", from_="2026-03-01", to="2026-04-01", metrics="views")["rows"]
        assert row["views"] == len(between(events, instant("2026-03-01T00:00Z"), instant("2026-04-01T00:00Z")))
        refused = client.ask("breakdown", by="country", from_="2026-03-28T10:15", to="2026-03-29", metrics="views")
        assert (refused.status, refused.said["parameter"]) == (400, "from")


def test_what_only_raw_events_tell_is_unknown_without_them(forgetful: Client) -> None:
    said = forgetful.said("timeseries", window="7d", interval="day", gender="F")
    known = [row["views"] is not None for row in said["rows"]]
    assert known == sorted(known)
    assert set(known) == {False, True}
    assert "no longer kept" in said["notes"][0]
    for by in ("gender", "age"):
        refused = forgetful.ask("breakdown", by=by, window="30d")
        assert (refused.status, refused.said["parameter"]) == (400, "from")
    assert forgetful.said("events", window="30d")["notes"] != []


@pytest.mark.parametrize(
    ("kind", "parameters", "parameter"),
    [
        ("aggregate", {"window": "5h"}, "window"),
        ("aggregate", {"window": ["4h", "24h"]}, "window"),
        ("aggregate", {"window": "4h", "from_": "2026-01-01"}, "window"),
        ("aggregate", {"to": "2026-01-01"}, "from"),
        ("aggregate", {"from_": "2026-01-02", "to": "2026-01-02"}, "from"),
        ("aggregate", {"from_": "0001-01-01", "to": "2026-01-02"}, "from"),
        ("aggregate", {"from_": "2026-01-01", "to": "today"}, "to"),
        ("aggregate", {"timezone": "../../etc/passwd"}, "timezone"),
        ("aggregate", {"timezone": "Europe"}, "timezone"),
        ("aggregate", {"metrics": "views,"}, "metrics"),
        ("aggregate", {"compare": "tomorrow"}, "compare"),
        ("aggregate", {"audience": "Bots"}, "audience"),
        ("aggregate", {"by": "country"}, "by"),
        ("aggregate", {"kountry": "DE"}, "kountry"),
        ("timeseries", {"window": "12mo", "interval": "minute"}, "interval"),
        ("timeseries", {"window": "4h", "interval": "day"}, "interval"),
        ("timeseries", {"interval": "week"}, "interval"),
        ("breakdown", {}, "by"),
        ("breakdown", {"by": "visitor_id"}, "by"),
        ("breakdown", {"by": "country", "limit": "0"}, "limit"),
        ("breakdown", {"by": "country", "limit": "²"}, "limit"),
        ("events", {"country": ["x"] * 101}, "country"),
        ("realtime", {"window": "4h"}, "window"),
    ],
)
def test_a_wrong_parameter_is_named(client: Client, kind: str, parameters: dict[str, Any], parameter: str) -> None:
    answered = client.ask(kind, **parameters)
    assert (answered.status, answered.said["parameter"]) == (400, parameter)
    assert "expected" in answered.said["message"]


def test_paths_and_methods(client: Client) -> None:
    assert client.get("/api/v1/").status == 404
    assert client.get("/").status == 404
    refused = client.get("/api/v1/aggregate", method="POST")
    assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD")
    head = client.get("/api/v1/aggregate", method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert int(head.headers["content-length"]) > 0
    assert client.get(f"/api/v1/aggregate?country={'x' * 40_000}").status == 414
    assert client.get("/api/v1/aggregate", {"Host": "evil.example"}).status == 403
    assert client.get("/api/v1/aggregate", {"Host": "localhost:1"}).status == 200
