"""Live beside the same minutes of last week: a PostgreSQL with a week of events, history's API, and a dashboard."""

import random
import socket
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from shared.events.schema import EnrichedEvent
from shared.runtime.redis_client import connect
from tests.browser.conftest import Dashboard, Visit, running_dashboard, visiting
from tests.browser.test_accessibility import axe as axe  # the fixture
from tests.browser.test_live_page import FITTING
from tests.support.axe.violations import violations
from tests.support.history_api import between, counts, ms, serving, store
from tests.support.polling import eventually
from tests.support.samples.rollup import publish, sample_rollup
from tests.support.servers.server_process import free_port
from tests.support.servers.valkey import running_valkey

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

MINUTE = timedelta(minutes=1)
SITE = "shop.example"
ZONE = "Asia/Kathmandu"  # of UTC+5:45, where clocks never change
WINDOWS = {"Active now": 5, "Visitors, 15 min": 15, "Visitors, 1 h": 60, "Sessions": 30}


class Scene:
    """A rollup that stays fresh for as long as a slow machine takes to read it, and the events of a week before."""

    def __init__(self) -> None:
        self.as_of = datetime.now(UTC) + 10 * MINUTE
        self.before = self.as_of.replace(second=0, microsecond=0) - timedelta(days=7)
        self.events = list(self._events())

    def _events(self) -> Iterator[EnrichedEvent]:
        """Those of three hours around the minute, of two sites and of none, and an earlier one."""
        yield EnrichedEvent(timestamp=ms(self.before - timedelta(days=3)), userId="first", eventId="first")
        chance = random.Random(20)
        for number in range(3_000):
            yield EnrichedEvent(
                timestamp=ms(self.before) + chance.randrange(-2 * 3_600_000, 3_600_000),
                userId=f"visitor-{chance.randrange(90)}",
                eventId=str(number),
                site=chance.choice([SITE, SITE, "blog.example", None]),
                deviceType=chance.choice(["Desktop", "Bot", "Other"]),
                eventType="page_view",
            )

    def by_minute(self, events: Sequence[EnrichedEvent]) -> list[int]:
        """The line that these events are."""
        starts = [self.before + place * MINUTE for place in range(-14, 1)]
        return [len(between(events, start, start + MINUTE)) for start in starts]

    def against(self, events: Sequence[EnrichedEvent]) -> dict[str, str]:
        """What each key figure is compared with."""
        visitors = {
            label: counts(between(events, self.before - minutes * MINUTE, self.before))["visitors"]
            for label, minutes in WINDOWS.items()
        }
        nouns = {label: "sessions" if label == "Sessions" else "visitors" for label in WINDOWS}
        views = len(between(events, self.before - 15 * MINUTE, self.before))
        return {
            **{label: f"against {number} {nouns[label]}" for label, number in visitors.items()},
            "Views per minute": f"against {views} views",
        }


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene()


@pytest.fixture(scope="module")
def api_port(postgres_server: Any, scene: Scene) -> Iterator[int]:
    url = postgres_server.new_database("live_last_week")
    store(url, scene.events, ms(scene.as_of), raw_days=36_500, today=scene.as_of.date())
    with serving(url) as client:
        yield client.port


@pytest.fixture(scope="module")
def live(api_port: int, scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """A dashboard of one of the two sites, and of both."""
    folder, redis_port = tmp_path_factory.mktemp("last-week"), free_port()
    settings = {
        "HISTORY_API_URL": f"http://127.0.0.1:{api_port}",
        "DASHBOARD_SITES": "Shop=shop:,All=",
    }
    with running_valkey(folder, redis_port) as url, connect(url) as client:
        for prefix, site in (("shop:", SITE), ("", "")):
            publish(client, sample_rollup(ms(scene.as_of), newest_event_ms=ms(scene.as_of), site=site), prefix)
        with running_dashboard(redis_port, folder / "dashboard.log", settings=settings) as dashboard:
            yield dashboard


@pytest.fixture
def visit(chromium: Browser, live: Dashboard) -> Iterator[Visit]:
    with visiting(chromium, live.url, timezone_id=ZONE) as visit:
        yield visit
        assert (visit.errors, visit.foreign_requests) == ([], [])


def line(visit: Visit) -> list[int] | None:
    """The numbers of the line, as drawn; None without one."""
    of_chart = "document.querySelector('.card-per-minute .live-plot')?.data?.find(own => own.name === 'last week')?.y"
    found: list[int] | None = visit.page.evaluate(f"{of_chart} ?? null")
    return found


def compared(visit: Visit) -> dict[str, str]:
    """What the changes are against, by the label of their key figure."""
    texts = visit.page.evaluate(
        "[...document.querySelectorAll('.kpi:has(.change)')].map(own => ["
        "own.querySelector('h2').textContent, own.querySelector('.change').title])"
    )
    return dict(texts)


def is_compared(visit: Visit, wanted: dict[str, str]) -> bool:
    return {label: text.partition(" on ")[0] for label, text in compared(visit).items()} == wanted


def test_the_line_and_the_changes_are_those_of_last_week(visit: Visit, scene: Scene) -> None:
    of_site = [own for own in scene.events if own.site == SITE]
    people = [own for own in of_site if own.deviceType != "Bot"]
    for address, events in (("/", of_site), ("/?audience=Humans", people), ("/?of=All", scene.events)):
        visit.open(address)
        eventually(lambda: line(visit) == scene.by_minute(events), f"the line of {address}")  # noqa: B023
        eventually(lambda: is_compared(visit, scene.against(events)), f"the changes of {address}")  # noqa: B023
        assert "last week" in visit.page.locator(".card-per-minute .side").inner_text()


def test_a_page_with_last_week_can_be_used_by_everyone_on_every_screen(axe: str, visit: Visit) -> None:
    visit.open("/")
    eventually(lambda: line(visit), "the line of last week")
    assert violations(visit.page, axe) == []
    visit.page.emulate_media(color_scheme="dark")
    background = "getComputedStyle(document.querySelector('.stApp')).backgroundColor"
    eventually(lambda: "14, 18, 23" in visit.page.evaluate(background) and line(visit), "the dark page")
    assert violations(visit.page, axe) == []
    for width, height in ((390, 844), (820, 1180), (1160, 900), (1440, 900), (1920, 1080)):
        visit.page.set_viewport_size({"width": width, "height": height})
        eventually(lambda: visit.page.evaluate(FITTING) == {"sideways": 0, "cut": []}, f"a fit at {width} px")


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_history_that_does_not_answer_leaves_live_as_it_is(
    chromium: Browser, silent_port: int, tmp_path: Path
) -> None:
    redis_port, log, as_of_ms = free_port(), tmp_path / "dashboard.log", ms(Scene().as_of)
    settings = {"HISTORY_API_URL": f"http://127.0.0.1:{silent_port}"}
    with (
        running_valkey(tmp_path, redis_port) as url,
        connect(url) as client,
        running_dashboard(redis_port, log, settings=settings) as dashboard,
        visiting(chromium, dashboard.url) as visit,
    ):
        publish(client, sample_rollup(as_of_ms, newest_event_ms=as_of_ms))
        visit.open("/")
        visit.wait_for_standing("live")
        newer = sample_rollup(as_of_ms + 60_000, newest_event_ms=as_of_ms + 60_000)
        windows = replace(newer.audiences["all"], visitors={**newer.audiences["all"].visitors, "5m": 777})
        publish(client, replace(newer, audiences={**newer.audiences, "all": windows}))
        eventually(lambda: visit.key_figures()[0] == "777" or None, "the newer numbers")
        facts = visit.page.locator(".kpi p:has(.change)").all_inner_texts()
        assert [fact.partition(" on ")[2] for fact in facts] == [
            "prior 5 min", "prior 15 min", "prior hour", "prior 15 min", "prior 30 min",
        ]  # fmt: skip
        assert line(visit) is None
        assert (visit.errors, visit.foreign_requests) == ([], [])
    assert "Traceback" not in log.read_text()
