"""The Operations page of real services, in a real browser."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator

from services.dashboard.kit import wording
from shared.runtime.redis_client import connect
from shared.status.keys import read, write
from shared.status.replica_status import ReplicaStatus, Transition
from tests.browser.conftest import Dashboard, Visit, visiting
from tests.browser.test_live_page import FITTING, HOSTILE
from tests.support.polling import eventually
from tests.support.samples.status import REDIS_AWAY, sample_status
from tests.support.servers.valkey import running_valkey

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]

SERVICES = ("enrich", "aggregate", "detect")
Start = Callable[[str], "subprocess.Popen[bytes]"]


@pytest.fixture
def start(dashboard: Dashboard, valkey: Any, tmp_path: Path) -> Iterator[Start]:  # noqa: ARG001 - it has to run
    """Starts a service on the dashboard's Valkey, which is also its event log."""
    environment = {
        **os.environ,
        "REDIS_URL": f"redis://127.0.0.1:{dashboard.redis_port}/0",
        "STATE_DIR": str(tmp_path / "state"),
        "LOG_FORMAT": "json",
    }
    with ExitStack() as stack:

        def started(service: str) -> "subprocess.Popen[bytes]":
            return stack.enter_context(_running(service, environment))

        yield started


@contextmanager
def _running(service: str, environment: dict[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen([sys.executable, "-m", "services.cli", service], env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def open_operations(visit: Visit) -> None:
    visit.open()
    visit.page.get_by_role("link", name="Operations").click()
    visit.page.wait_for_selector(".here >> text=Operations")


def row(visit: Visit, replica: str) -> Locator:
    return visit.page.locator(".replicas tbody tr").filter(has=visit.page.locator(".who", has_text=replica))


def statuses(client: Any) -> dict[str, ReplicaStatus]:
    """The running replicas of Redis by service."""
    return {status.service: status for status in read(client, "").replicas if status.state == "running"}


def wait_for_work(client: Any) -> None:
    """Wait until a replica of each service reads its partitions."""
    eventually(lambda: all(service in at_work(client) for service in SERVICES), "all services at work", 150)


def at_work(client: Any) -> set[str]:
    return {service for service, status in statuses(client).items() if status.lag}


def figures(visit: Visit, replica: str) -> list[str]:
    cells = row(visit, replica).locator("td:not(.how) b").all_inner_texts()
    return [" ".join(cell.split()) for cell in cells]


def as_shown(status: ReplicaStatus) -> list[str]:
    """The numbers of a row as Redis has them, without those that change at every look."""
    is_reader = bool(status.lag)
    return [
        wording.size(status.memory_bytes),
        wording.rate(status.events_per_second) if is_reader else "–",
        "–" if status.batch_ms is None else wording.milliseconds(status.batch_ms),
        wording.grouped(status.lag_sum or 0) if is_reader else "–",
        wording.grouped(sum(status.dead_letters.values())) if is_reader else "–",
        wording.size(sum(status.state_bytes.values())) if status.state_bytes else "–",
    ]


def test_numbers_of_running_services_match_redis(valkey: Any, start: Start, visit: Visit) -> None:
    for service in SERVICES:
        start(service)
    wait_for_work(valkey)
    open_operations(visit)
    for number in range(200):
        click = b'{"timestamp": %d, "userId": "u%d", "productId": "p1"}' % (time.time_ns() // 1_000_000, number % 9)
        valkey.xadd(f"click-data:{number % 4}", {"v": click})
    for bad in (b"{no json", b"[]", b'{"userId": "u"}', b"[1]"):
        valkey.xadd("click-data:0", {"v": bad})
    eventually(lambda: statuses(valkey)["enrich"].events == 204, "all read", 60)
    eventually(lambda: statuses(valkey)["aggregate"].events == 200, "all counted", 60)

    for service in (*SERVICES, "dashboard"):
        replica = statuses(valkey)[service].replica

        def agrees(service: str = service, replica: str = replica) -> bool:
            up, _, *rest = figures(visit, replica) or ("", "")  # no row yet
            return bool(up) and rest == as_shown(statuses(valkey)[service])

        eventually(agrees, f"the figures of {service}", 60)
    letters = visit.page.locator(".letters tbody tr")
    by_reason = [["not_an_object", "enrich", "2"], ["missing_field", "enrich", "1"], ["not_json", "enrich", "1"]]
    eventually(lambda: [line.split() for line in letters.all_inner_texts()] == by_reason, "the dead letters")
    state = statuses(valkey)["aggregate"].state_bytes
    assert set(state) == {0, 1, 2, 3}
    partitions = visit.page.locator(".partitions tbody tr")
    eventually(
        lambda: (
            [line.split(maxsplit=4)[:4] for line in partitions.all_inner_texts()]
            == [[str(number), "0", "0", "0"] for number in range(4)]
        ),
        "nothing behind",
    )
    visit.wait_for_standing("live")
    for message in ("publishes the rollups", "reads partitions 0–3", "started, version 0.1.0"):
        visit.page.locator(".transitions .what", has_text=message).first.wait_for()
    curves = visit.page.get_by_role("img", name="Memory of aggregate")
    eventually(lambda: curves.count() == 1, "a curve", 30)


def test_a_killed_service_is_gone_until_its_successor_starts(valkey: Any, start: Start, visit: Visit) -> None:
    processes = {service: start(service) for service in SERVICES}
    wait_for_work(valkey)
    open_operations(visit)
    visit.wait_for_standing("live")
    killed = statuses(valkey)["enrich"].replica
    processes["enrich"].kill()
    # The parts of the page arrive one after the other.
    strip = visit.page.locator('.strip[data-standing="failing"]', has_text=f"enrich {killed} has not reported since")
    strip.filter(has_text="No replica of clickpulse enrich is running.").wait_for()
    gone = row(visit, killed)
    eventually(lambda: gone.get_attribute("data-standing") == "gone", "its row")
    assert "silent since" in gone.locator(".how").inner_text()
    newest = visit.page.locator(".transitions tbody tr").first
    eventually(lambda: "stopped reporting" in newest.inner_text(), "its end")
    first_partition = visit.page.locator(".partitions tbody tr").first
    eventually(lambda: "unread" in first_partition.inner_text(), "its partitions")
    processes["detect"].terminate()
    assert processes["detect"].wait(30) == 0
    both = "clickpulse enrich and clickpulse detect is running"
    eventually(lambda: both in visit.page.locator(".strip").inner_text(), "the end of detect")
    start("enrich")
    start("detect")
    visit.page.wait_for_selector('.strip[data-standing="live"]', timeout=150_000)
    healthy = visit.page.locator('.replicas tr[data-standing="healthy"]')
    eventually(lambda: healthy.count() == 4, "the successors")
    assert gone.get_attribute("data-standing") == "gone"
    lines = visit.page.locator(".transitions tbody tr").all_inner_texts()
    assert any("detect" in line and "stopped" in line for line in lines), lines


def report_all(client: Any, *, ahead_seconds: int = 60, **fields: Any) -> None:
    """Reports that stay fresh for as long as a slow machine takes to read them, or that are old already."""
    now_ms = (int(time.time()) + ahead_seconds) * 1000
    times = {"started_at_ms": now_ms - 7_500_000, "reported_at_ms": now_ms}
    for service in SERVICES:
        change = Transition(at_ms=now_ms, service=service, replica="host-1:7", level="error", message="redis fails: x")
        write(client, sample_status(service, f"{service}-host:7", **times, **fields), [change], "")


def test_new_numbers_move_nothing_on_the_page(valkey: Any, visit: Visit) -> None:
    report_all(valkey)
    open_operations(visit)
    visit.wait_for_standing("live")
    visit.page.wait_for_selector(".transitions tbody tr")  # the last of the page
    visit.page.evaluate("""() => {
        window.places = () => [...document.querySelectorAll('.strip, .kpi, .card, .replicas td')]
            .map(box => JSON.stringify(box.getBoundingClientRect()))
        window.first = window.places().join(';')
        window.moved = window.faded = 0
        const look = () => {
            window.moved += window.places().join(';') !== window.first
            window.faded += [...document.querySelectorAll('.stElementContainer')]
                .some(element => getComputedStyle(element).opacity !== '1')
            requestAnimationFrame(look)
        }
        look()
    }""")
    for number in (7, 12_345, 987_654):
        lag = {0: number, 1: 0}
        report_all(valkey, events_per_second=number, lag=lag, cpu_share=number / 1e5, memory_bytes=number * 1000)
        shown = wording.grouped(number)
        eventually(lambda shown=shown: shown in visit.page.locator(".partitions").inner_text(), shown, 60)  # type: ignore[misc]
    assert visit.page.evaluate("[window.moved, window.faded]") == [0, 0]


def test_markup_from_redis_is_shown_as_text(valkey: Any, visit: Visit) -> None:
    report_all(valkey)
    now_ms = (int(time.time()) + 60) * 1000
    trouble = {HOSTILE: REDIS_AWAY}
    hostile = sample_status("enrich", HOSTILE, version=HOSTILE, reported_at_ms=now_ms, troubles=trouble)
    change = Transition(at_ms=now_ms, service="enrich", replica=HOSTILE, level="error", message=HOSTILE)
    write(valkey, hostile, [change], "")
    valkey.hset("status:replicas:enrich", f"{HOSTILE} broken", "{")
    open_operations(visit)
    visit.wait_for_standing("failing")
    for place in (".strip", ".replicas", ".transitions"):  # .partitions shows only services that exist
        visit.page.locator(place, has_text="<img src=").first.wait_for()
    assert visit.page.locator(".board").locator("img, script, a").count() == 0
    assert visit.page.evaluate("window.pwned") is None


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_the_page_fits_every_screen_in_both_modes(
    valkey: Any, chromium: Browser, dashboard: Dashboard, mode: str
) -> None:
    report_all(valkey, troubles={"redis": REDIS_AWAY})
    valkey.hset("status:replicas:enrich", "broken", "{")
    with visiting(chromium, dashboard.url, viewport={"width": 390, "height": 844}, color_scheme=mode) as visit:
        open_operations(visit)
        for width, height in ((390, 844), (820, 1180), (1160, 900), (1330, 900), (1440, 900), (1920, 1080)):
            visit.page.set_viewport_size({"width": width, "height": height})
            eventually(lambda: visit.page.evaluate(FITTING) == {"sideways": 0, "cut": []}, f"a fit at {width} px")
        assert (visit.errors, visit.foreign_requests) == ([], [])


def test_the_page_recovers_when_redis_returns(dashboard: Dashboard, visit: Visit, tmp_path: Path) -> None:
    open_operations(visit)
    assert f"127.0.0.1:{dashboard.redis_port} has not answered since" in visit.wait_for_standing("unreachable")
    with running_valkey(tmp_path, dashboard.redis_port) as url, connect(url) as client:
        visit.wait_for_standing("waiting")
        visit.page.wait_for_selector(".notice >> text=No service reports")
        report_all(client)
        visit.wait_for_standing("live")
    assert "The numbers below are from" in visit.wait_for_standing("unreachable")
    assert visit.page.locator(".replicas tbody tr").count() >= 3
