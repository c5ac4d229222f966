"""What a viewer of the live page sees, in a real browser, against a real Redis."""

import re
import signal
import time
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from shared.rollups.commerce import Revenue
from shared.runtime.redis_client import connect
from tests.browser.conftest import Dashboard, Visit, running_dashboard, visiting
from tests.support.polling import eventually
from tests.support.samples.rollup import publish, sample_rollup
from tests.support.servers.valkey import running_valkey

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

AHEAD_SECONDS = 240


def publish_now(client: Any, **meta: Any) -> None:
    """Publish a rollup that stays fresh long enough for a slow machine."""
    as_of_ms = (int(time.time()) + AHEAD_SECONDS) * 1000
    publish(client, sample_rollup(as_of_ms, **{"newest_event_ms": as_of_ms, **meta}))


def grouped(reply: bytes | float) -> str:
    return f"{int(reply):,}"


def test_the_numbers_on_the_page_are_those_in_redis(valkey: Any, visit: Visit) -> None:
    publish_now(valkey)
    visit.open()
    visit.wait_for_standing("live")
    visit.wait_for_charts()
    visitors, views = valkey.hgetall("rollup:all:visitors"), valkey.hgetall("rollup:all:views")
    sessions = valkey.hgetall("rollup:all:sessions")
    assert visit.key_figures() == [
        grouped(visitors[b"5m"]),
        grouped(visitors[b"15m"]),
        grouped(visitors[b"1h"]),
        grouped(round(int(views[b"15m"]) / 15)),
        grouped(sessions[b"active"]),
        f"{100 * float(sessions[b'bounce_rate_1h']):.1f} %",
        "3 min 2 s",
    ]
    assert float(sessions[b"duration_s_1h"]) == 182.4
    curves = visit.page.locator(".kpis").get_by_role("img", name=re.compile(r"(per|by) \S+( minutes)?, last"))
    assert curves.count() == 7
    assert all(curve.bounding_box()["height"] == 26 for curve in curves.all())  # type: ignore[index]  # shown, so it has one
    ranked = valkey.zrevrange("rollup:all:products:1h", 0, 9, withscores=True)
    rows = visit.page.locator(".products tbody tr")
    assert rows.locator("td.figure").all_inner_texts() == [grouped(score) for _, score in ranked]
    assert rows.locator("th.name").all_inner_texts() == [f"Title of {product.decode()}" for product, _ in ranked]
    for table, key in ((".pages", "rollup:all:pages:1h"), (".countries", "rollup:all:countries:1h")):
        members = {name.decode(): grouped(score) for name, score in valkey.zrange(key, 0, -1, withscores=True)}
        names = visit.page.locator(f"{table} th.name").all_inner_texts()
        figures = visit.page.locator(f"{table} td.against + td.figure").all_inner_texts()
        assert dict(zip(names, figures, strict=True)) == members
    devices = valkey.zrevrange("rollup:all:devices:10m", 0, -1, withscores=True)
    ring = visit.page.locator(".card-devices .annotation-text").all_text_contents()
    assert ring == [grouped(sum(score for _, score in devices)), "visitors"]
    categories = valkey.zrevrange("rollup:all:categories:1h", 0, -1, withscores=True)
    chart = visit.page.locator(".card-categories")
    assert chart.locator(".ytick text").all_text_contents() == [name.decode() for name, _ in categories]
    assert chart.locator(".bartext").all_text_contents() == [grouped(score) for _, score in categories]
    minutes = [int(count) for count in valkey.hvals("rollup:all:views:1m")][-15:]
    assert visit.page.evaluate("document.querySelector('.card-per-minute .live-plot').data[0].y") == minutes
    half_hours = [int(count) for count in valkey.hvals("rollup:all:visitors:30m")]
    assert visit.page.evaluate("document.querySelector('.card-per-half-hour .live-plot').data[0].y") == half_hours
    assert visit.page.locator(".visitors tbody tr").count() == valkey.llen("rollup:visitors:latest")
    assert visit.page.locator(".raw tbody tr").count() == valkey.llen("rollup:events:latest")


def test_conversions_and_revenue_are_those_in_redis_and_give_way_on_a_site_without(valkey: Any, visit: Visit) -> None:
    publish_now(valkey)
    visit.open()
    visit.wait_for_standing("live")
    card = visit.page.locator(".card-conversions")
    assert card.get_by_role("heading", level=3).all_inner_texts() == ["Revenue, last hour", "Revenue, last 8 hours"]
    sold = valkey.hgetall("rollup:all:revenue")
    amounts = [f"€{Decimal(sold[name].decode()):,.2f}" for name in (b"revenue_1h", b"revenue_8h")]
    assert card.locator(".number").all_inner_texts() == amounts
    goals = {
        name.decode(): grouped(score) for name, score in valkey.zrange("rollup:all:goals:1h", 0, -1, withscores=True)
    }
    names = card.locator(".goals th.name").all_inner_texts()
    conversions = card.locator(".goals th.name + td.figure").all_inner_texts()
    assert set(names) == set(goals)
    assert len(conversions) == len(goals)
    assert card.locator(".currencies tbody th").all_inner_texts() == ["USD", "CHF"]
    assert card.locator(".revenue").count() == 4  # campaigns, categories, products, sources
    visit.page.set_viewport_size({"width": 390, "height": 844})
    boxes = [cell.bounding_box() for cell in card.locator("td, .number").all()]
    assert all(box["x"] >= 0 and box["x"] + box["width"] <= 390 for box in boxes if box is not None)
    rollup = sample_rollup((int(time.time()) + AHEAD_SECONDS) * 1000, newest_event_ms=int(time.time()) * 1000)
    without: dict[str, Any] = {"goals": {}, "other_currencies": {}, "revenue": Revenue(currency="EUR")}
    windows = replace(rollup.audiences["all"], **without)
    publish(valkey, replace(rollup, audiences={**rollup.audiences, "all": windows}))
    eventually(lambda: card.count() == 0, "no card", 60)


def test_the_switch_shows_one_audience_and_stays_in_the_address(valkey: Any, visit: Visit) -> None:
    publish_now(valkey)
    visit.open()
    visit.wait_for_standing("live")
    visit.page.get_by_role("radio", name="Bots").or_(visit.page.get_by_role("button", name="Bots")).click()
    bots = grouped(valkey.hget("rollup:bot:visitors", "5m"))
    eventually(lambda: visit.key_figures()[:1] == [bots], "the bots' visitors")
    eventually(lambda: visit.page.evaluate("location.search") == "?audience=Bots", "the audience in the address")
    visit.page.reload()
    visit.wait_for_standing("live")
    assert visit.key_figures()[0] == bots


def test_new_numbers_change_nothing_else_on_the_page(valkey: Any, visit: Visit) -> None:
    publish_now(valkey)
    visit.open()
    visit.wait_for_standing("live")
    visit.wait_for_charts()
    visit.page.evaluate("""() => {
        window.plots = [...document.querySelectorAll('.live-plot')]
        window.places = () => [...document.querySelectorAll('.strip, .kpi, .card')]
            .map(card => JSON.stringify(card.getBoundingClientRect()))
        window.first = window.places().join(';')
        window.blank = window.moved = window.faded = 0
        const look = () => {
            const plots = [...document.querySelectorAll('.live-plot')]
            window.blank += plots.length !== 4 || plots.some(plot => !plot.querySelector('.main-svg'))
            window.moved += window.places().join(';') !== window.first
            window.faded += [...document.querySelectorAll('.stElementContainer')]
                .some(element => getComputedStyle(element).opacity !== '1')
            requestAnimationFrame(look)
        }
        look()
    }""")
    for number in (11, 22, 33):
        rollup = sample_rollup((int(time.time()) + AHEAD_SECONDS) * 1000, newest_event_ms=int(time.time()) * 1000)
        windows = replace(rollup.audiences["all"], visitors={"5m": number}, devices_10m={"Desktop": number})
        publish(valkey, replace(rollup, audiences={**rollup.audiences, "all": windows}))
        eventually(lambda number=number: visit.key_figures()[:1] == [str(number)], "the new number", 60)  # type: ignore[misc]
    ring = visit.page.locator(".card-devices .annotation-text").first
    eventually(lambda: ring.text_content() == "33", "the new figure", 60)
    seen = visit.page.evaluate("""() => ({
        same: [...document.querySelectorAll('.live-plot')].every((plot, place) => plot === window.plots[place]),
        blank: window.blank, moved: window.moved, faded: window.faded,
    })""")
    assert seen == {"same": True, "blank": 0, "moved": 0, "faded": 0}


HOSTILE = '<img src="https://evil.example/x.png" onerror="window.pwned=1"><b>bold</b><script>window.pwned=1</script>'
HOSTILE_CATEGORY = '<a href="https://evil.example">b</a>$\\alpha$%{x}'


def test_untrusted_markup_is_shown_as_text_and_does_nothing(valkey: Any, visit: Visit) -> None:
    rollup = sample_rollup((int(time.time()) + AHEAD_SECONDS) * 1000)
    event = dict.fromkeys(rollup.latest_events[0], HOSTILE) | {"timestamp": rollup.meta.as_of_ms}
    windows = replace(
        rollup.audiences["all"],
        products_1h={HOSTILE: 9},
        categories_1h={HOSTILE_CATEGORY: 9, "<b>bold</b>": 8},
        devices_10m={HOSTILE: 7},
        pages_1h={HOSTILE: 6},
        countries_1h={HOSTILE: 5},
    )
    rollup = replace(
        rollup,
        audiences={**rollup.audiences, "all": windows},
        products_info={HOSTILE: {"title": HOSTILE, "category": HOSTILE_CATEGORY}},
        latest_events=[event],
        latest_visitors=[event],
    )
    publish(valkey, rollup)
    valkey.xadd("state_logs", {"created": time.time(), "msg": HOSTILE})
    visit.open()
    visit.wait_for_charts()
    assert visit.page.locator(".products th.name").inner_text().startswith('<img src="https://evil.example/x.png"')
    for table in (".pages", ".countries", ".visitors", ".log", ".raw", ".devices"):
        assert "<img src=" in visit.page.locator(table).inner_text(), table
    chart = visit.page.locator(".card-categories")
    assert chart.locator(".ytick text").all_text_contents() == ['<a href="https:/…', "<b>bold</b>"]
    bar = chart.locator(".bars .point").first
    bar.scroll_into_view_if_needed()
    visit.point_at(bar, chart.locator(".hovertext"), lambda box: (box["x"] + 10, box["y"] + 5))
    assert HOSTILE_CATEGORY in " ".join(chart.locator(".hovertext").all_text_contents())
    assert visit.page.locator(".board").locator("img, script, a, b, .MathJax, svg b").all_inner_texts() == [
        *visit.page.locator(".key b").all_inner_texts()
    ]
    assert visit.page.evaluate("window.pwned") is None


def test_a_page_opened_before_redis_recovers_by_itself(dashboard: Dashboard, visit: Visit, tmp_path: Path) -> None:
    visit.open()
    strip = visit.wait_for_standing("unreachable")
    assert f"127.0.0.1:{dashboard.redis_port} has not answered since" in strip
    with running_valkey(tmp_path, dashboard.redis_port) as url:
        visit.wait_for_standing("waiting")
        assert "No events yet" in visit.page.inner_text(".notice")
        with connect(url) as client:
            publish_now(client)
        visit.wait_for_standing("live")
        visit.wait_for_charts()
        before = visit.key_figures()
    assert "The numbers below are from" in visit.wait_for_standing("unreachable")
    assert visit.key_figures() == before


def test_stale_numbers_are_grey(valkey: Any, visit: Visit) -> None:
    as_of_ms = int(time.time() - 90) * 1000
    publish(valkey, sample_rollup(as_of_ms))
    visit.open()
    assert re.search(r"No new numbers since \d\d:\d\d:\d\d UTC", visit.wait_for_standing("stale"))
    assert visit.page.evaluate("getComputedStyle(document.querySelector('.kpis')).filter") == "grayscale(1)"
    assert visit.page.evaluate("getComputedStyle(document.querySelector('.board')).filter") == "grayscale(1)"


@pytest.mark.parametrize(("mode", "background"), [("light", "rgb(245, 246, 248)"), ("dark", "rgb(14, 18, 23)")])
def test_the_page_fits_phones_desks_and_walls_in_both_modes(
    valkey: Any, chromium: Browser, dashboard: Dashboard, mode: str, background: str
) -> None:
    publish_now(valkey)
    with visiting(chromium, dashboard.url, viewport={"width": 390, "height": 844}, color_scheme=mode) as visit:
        visit.open()
        visit.wait_for_charts()
        for width, height in ((390, 844), (820, 1180), (1160, 900), (1330, 900), (1440, 900), (1920, 1080)):
            visit.page.set_viewport_size({"width": width, "height": height})
            eventually(lambda: visit.page.evaluate(FITTING) == {"sideways": 0, "cut": []}, f"a fit at {width} px")
        assert visit.page.evaluate("getComputedStyle(document.querySelector('.stApp')).backgroundColor") == background
        assert (visit.errors, visit.foreign_requests) == ([], [])


FITTING = """() => ({
    sideways: document.documentElement.scrollWidth - innerWidth,
    cut: [...document.querySelectorAll('.card:not(.card-raw), .kpi, .kpi > *')]
        .filter(card => card.scrollHeight > card.clientHeight + 1 || card.scrollWidth > card.clientWidth + 1)
        .map(card => card.className),
})"""


def test_it_stops_at_once_and_the_page_says_that_it_is_disconnected(
    chromium: Browser, tmp_path: Path, valkey: Any
) -> None:
    publish_now(valkey)
    port = valkey.connection_pool.connection_kwargs["port"]
    log = tmp_path / "dashboard.log"
    with running_dashboard(port, log) as own, visiting(chromium, own.url) as visit:
        visit.open()
        own.process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        assert own.process.wait(30) == 0, log.read_text()
        assert time.monotonic() - began < 5
        assert "The numbers below are from then" in visit.wait_for_standing("disconnected")
        assert visit.page.get_by_role("status").inner_text().startswith("Disconnected. No numbers from")
        assert visit.page.evaluate("getComputedStyle(document.querySelector('.kpis')).filter") == "grayscale(1)"
    assert "Traceback" not in log.read_text()
