"""Addresses of pages with parameters that nobody chose on the page. `?at=9999-12-31T23:59:00Z` crashed Explore."""

import os
from collections.abc import Mapping
from random import Random
from typing import Any, Final
from urllib.parse import parse_qs, urlencode

import pytest

from services.dashboard.explore import board
from services.dashboard.explore.choices import MEASURES, ROLLING, STEPS, WINDOWS, Choices, read_focus, read_minute
from services.dashboard.explore.columns import COLUMNS
from services.dashboard.explore.counting.selection import Filter
from services.dashboard.explore.exploration import explore
from services.dashboard.explore.files import FILES, file_name
from services.dashboard.kit.cards.card import Context
from services.dashboard.kit.theme import LIGHT
from services.dashboard.kit.time_zones import clock_of
from services.dashboard.sources.completed_minutes import CompletedMinutes
from shared.events.time_units import MINUTE_MS
from tests.support.opened_page import opened, shown
from tests.support.samples.segments import MINUTE, Row
from tests.unit.dashboard.explore.test_exploration import frame_of
from tests.unit.dashboard.explore.test_page import publish_hour
from tests.unit.dashboard.test_app import client as client  # the fixture

ADDRESSES, LONG_ADDRESSES = 10_000, 300_000
SAVED: Final = 20  # one in so many is downloaded too, which takes longer

END: Final = MINUTE + 60
ROWS: Final = [
    Row(minute=END - 1 - number, visitor=number, category=("Books", None)[number % 2]) for number in range(5)
]
MINUTES: Final = CompletedMinutes(frame_of(ROWS), MINUTE, END)

ZONES: Final = ("UTC", "Asia/Kathmandu", "Pacific/Kiritimati", "Etc/GMT+12", "America/St_Johns", "Nowhere/Else")
DATES: Final = (
    "0001-01-01", "0999-12-31", "1582-10-10", "1969-12-31", "1970-01-01", "1970-01-02", "1970-01-04", "2026-11-22",
    "2026-02-30", "2038-01-19", "9999-12-28", "9999-12-29", "9999-12-30", "9999-12-31", "10000-01-01", "+2026-11-22",
)  # fmt: skip
TIMES: Final = ("00:00:00", "00:01:00", "10:30:00", "10:30:59", "23:59:00", "23:59:60", "24:00:00", "-1:00:00")
LENGTHS: Final = ("1", "60", "1440", "0", "-1", "00001", "1441", "9" * 20, "9" * 5000, "1e3", "٣", "", " 5")
NAMES: Final = ("Books", "", "a/b/c", "\x00", "<b>%s{}</b>", "x" * 3000, "‮", "\U0001f4a5", "\ud800", "日本")
NOISE: Final = ("", "/", "//", "noon", "null", "[]", "{}", "1", "true", "%", "%00", "&", ";", "'", "NaN", "\n")
LABELS: Final[Mapping[str, Mapping[str, Any]]] = {
    "window": {label: minutes for minutes, label in WINDOWS.items() if minutes <= 30},
    "by": {label: minutes for minutes, label in STEPS.items() if minutes >= 5},
    "rolling": {label: minutes for minutes, label in ROLLING.items()},
    "show": {label: measure for measure, label in MEASURES.items()},
}


def label_of(random: Random) -> str:
    if random.random() < 0.1:
        year, month, day = random.randint(1970, 9999), random.randint(1, 12), random.randint(1, 28)
        return f"{year}-{month:02}-{day:02}T{random.randint(0, 23):02}:{random.randint(0, 59):02}:00Z"
    return f"{random.choice(DATES)}T{random.choice(TIMES)}{random.choice(('Z', 'Z', 'Z', '', '+00:00', 'z'))}"


def focus_of(random: Random) -> str:
    parts = [label_of(random), random.choice(LENGTHS)]
    if random.random() < 0.6:
        parts += [random.choice([*COLUMNS.breakdowns, *NOISE]), random.choice(NAMES)]
    return "/".join(parts)


def spoilt(random: Random, text: str) -> str:
    """The text, most often as it is."""
    if random.random() < 0.8 or not text:
        return text
    place = random.randrange(len(text))
    return text[:place] + random.choice([*NOISE, *NAMES]) + text[place + random.randint(0, 2) :]


def address_of(random: Random) -> str:
    """The query of an address."""
    query: list[tuple[str, str]] = []
    if random.random() < 0.8:
        query.append(("at", spoilt(random, label_of(random))))
    if random.random() < 0.6:
        query.append(("events", spoilt(random, focus_of(random))))
    for name, labels in LABELS.items():
        if random.random() < 0.15:
            query.append((name, spoilt(random, random.choice([*labels, *NOISE]))))
    query += [(name, random.choice(NAMES)) for name in COLUMNS.filters if random.random() < 0.05]
    return urlencode(query, errors="surrogatepass")


def choices_of(address: str) -> Choices:
    """What the page chooses, with Streamlit's widgets: a value that a widget does not offer is its default."""
    query = parse_qs(address, keep_blank_values=True)
    chosen = {name: labels.get(query.get(name, [""])[-1]) for name, labels in LABELS.items()}
    window, step, rolling = chosen["window"] or 15, chosen["by"] or 5, chosen["rolling"] or 0
    step = step if step <= window else 5
    names = [(name, frozenset(query[name])) for name in COLUMNS.filters if name in query]
    return Choices(
        window_minutes=window,
        step_minutes=step,
        measure=chosen["show"] or "views",
        rolling_minutes=rolling if rolling > step else 0,
        wanted=Filter("all", tuple(names)),
        at_minute=read_minute(query.get("at", [None])[-1]),
        focus=read_focus(query.get("events", [None])[-1]),
    )


def test_every_address_is_drawn(long: bool) -> None:
    seed = int(os.environ.get("ATTACK_SEED", "0")) or Random().randrange(1, 2**32)
    random, drawn = Random(seed), set[Choices]()
    for number in range(LONG_ADDRESSES if long else ADDRESSES):
        address, zone = address_of(random), random.choice(ZONES)
        try:
            choices = choices_of(address)
            if choices in drawn:
                continue  # as the page, which keeps what it drew
            drawn.add(choices)
            found = explore(MINUTES, choices)
            context = Context(
                palette=LIGHT, now_ms=END * MINUTE_MS, clock=clock_of(zone), role=random.choice(("analyst", "viewer"))
            )
            board.draw(MINUTES, found, context)
            if number % SAVED == 0:
                for kind, write in FILES.items():
                    assert file_name(kind, found)
                    write(found)
        except Exception as error:
            raise AssertionError(f"ATTACK_SEED={seed}, address {number}: ?{address[:500]} in {zone}") from error
    assert len(drawn) > (LONG_ADDRESSES if long else ADDRESSES) / 10, "most addresses are the same to the page"


HOSTILE: Final[Mapping[str, str]] = dict.fromkeys(
    (
        "at", "events", "window", "by", "rolling", "show", "refresh", "audience", "breakdown", "density", "backlog",
        "category", "country", "embed", "theme", "_stcore",
    ),
    "\x00<b>&\ud7ff" + "9" * 3000,
)  # fmt: skip


@pytest.mark.parametrize(
    "query",
    [
        {"at": "9999-12-31T23:59:00Z", "window": "8 h", "rolling": "1 h"},
        {"at": "0001-01-01T00:00:00Z", "backlog": "8 h"},
        {"events": "9999-12-31T23:59:00Z/1440/category/Books"},
        {"events": f"2026-11-22T10:30:00Z/00001{'9' * 5000}"},
        HOSTILE,
    ],
)
def test_the_worst_addresses_open_the_page(client: Any, query: Mapping[str, str]) -> None:
    publish_hour(client)
    page = shown(opened("explore", zone="Pacific/Kiritimati", **query))
    assert 'data-standing="live"' in page
    assert "Views by minute" in page


@pytest.mark.parametrize("path", ["", "operations"])
def test_the_other_pages_open_too(client: Any, path: str) -> None:
    publish_hour(client)
    opened(path, **HOSTILE)
