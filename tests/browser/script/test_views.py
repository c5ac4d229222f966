"""What counts as a view, and what a view carries."""

import re
from typing import Any, Final

import pytest

from tests.browser.script.conftest import WITHOUT_TIMERS, Visitor
from tests.support.polling import eventually
from tests.support.servers.web_site import EVENTS, WebSite

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]


def view(url: str, referrer: str | None = None, **more: Any) -> dict[str, Any]:
    return {"url": url, **({} if referrer is None else {"referrer": referrer}), **more}


def test_a_view_is_a_beacon_of_plain_text_to_the_origin_of_the_script(visitor: Visitor, site: WebSite) -> None:
    site.put("/shoes")
    visitor.open(site.url("/shoes?size=42&utm_source=mail#reviews"))
    beacon = site.beacon()
    assert (beacon.method, beacon.host, beacon.path) == ("POST", "collect.example", EVENTS)
    assert beacon.headers["content-type"] == "text/plain;charset=UTF-8"
    (event,) = beacon.events
    assert re.fullmatch(r"\d{1,10}(-\d{1,10}){3}", event.pop("eventId"))
    assert event == {"url": site.url("/shoes?size=42&utm_source=mail")}


def test_each_view_has_an_id_of_its_own(visitor: Visitor, site: WebSite) -> None:
    url = site.put("/")
    for _ in range(3):
        visitor.open(url)
    assert len({event["eventId"] for event in site.first_events(3)}) == 3


def test_nothing_is_stored(visitor: Visitor, site: WebSite) -> None:
    visitor.open(site.put("/"))
    visitor.sent()
    assert visitor.page.context.cookies() == []
    assert visitor.run("[localStorage.length, sessionStorage.length]") == [0, 0]
    assert visitor.page.context.storage_state(indexed_db=True) == {"cookies": [], "origins": []}


def test_referrers_are_those_of_the_browser(visitor: Visitor, site: WebSite) -> None:
    site.put("/results", head="", body=f'<a href="{site.url("/")}">Shop</a>')
    site.put("/", body="<a href=/cart>Cart</a>")
    site.put("/cart")
    visitor.open(site.url("/results?q=shoes", "search.example"))
    visitor.follow("a", site.url("/"))
    assert visitor.sent() == [view(site.url("/"), site.url("/", "search.example"))]
    visitor.follow("a", site.url("/cart"))
    assert visitor.sent() == [view(site.url("/cart"), site.url("/"))]


@pytest.mark.parametrize("tag", ["", "async", "defer"])
def test_the_tag_loads_as_the_page_likes(visitor: Visitor, site: WebSite, tag: str) -> None:
    visitor.open(site.put("/", head=site.script().replace("defer", tag)))
    site.beacon()
    assert visitor.sent() == [view(site.url("/"))]


def test_a_tag_manager_may_insert_the_script(visitor: Visitor, site: WebSite) -> None:
    source = site.url("/s.js", "collect.example")
    visitor.open(site.put("/", head=f"<script>document.head.append(Object.assign(document.createElement('script'), "
                                    f"{{ src: '{source}' }}))</script>"))  # fmt: skip
    site.beacon()
    assert visitor.sent() == [view(site.url("/"))]


def test_two_copies_count_once(visitor: Visitor, site: WebSite) -> None:
    visitor.open(site.put("/", head=site.script() + site.script("data-site=other.example")))
    visitor.run("history.pushState(null, '', '/two')")
    assert visitor.sent() == [view(site.url("/")), view(site.url("/two"), site.url("/"))]


def test_a_view_of_a_page_that_is_left_at_once_arrives(visitor: Visitor, site: WebSite) -> None:
    leaving = "<script>addEventListener('load', () => { location.href = '/next' })</script>"
    site.put("/", head=WITHOUT_TIMERS + site.script(), body=leaving)
    site.put("/next", head="")
    visitor.open(site.url("/"))
    visitor.page.wait_for_url("**/next")
    assert site.beacon().events[0]["url"] == site.url("/")


def test_a_view_of_a_tab_that_is_closed_at_once_arrives(visitor: Visitor, site: WebSite) -> None:
    tab = visitor.page.context.new_page()
    tab.goto(site.put("/", head=WITHOUT_TIMERS + site.script()))
    tab.close(run_before_unload=True)
    assert site.beacon().events[0]["url"] == site.url("/")


def test_an_event_while_the_page_is_left_arrives(visitor: Visitor, site: WebSite) -> None:
    names = ["beforeunload", "pagehide", "visibilitychange", "unload"]
    listening = "".join(f"addEventListener('{name}', () => clickpulse('event', '{name}'), true);" for name in names)
    site.put("/", body=f"<script>addEventListener('load', () => {{ {listening} }})</script>")
    visitor.open(site.url("/"))
    visitor.open(site.put("/next", head=""))
    eventually(lambda: {event.get("eventType") for event in site.events()} >= set(names), "events at the end")


def test_a_page_that_the_browser_kept_counts_again(visitor: Visitor, site: WebSite) -> None:
    visitor.open(site.put("/"))
    visitor.open(site.put("/next"))
    site.first_events(2)
    site.requests.clear()
    visitor.run("history.back()")
    (again,) = site.beacon().events
    assert again.pop("eventId")
    assert again == view(site.url("/"), site.url("/"))
    assert [request.path for request in site.requests] == [EVENTS], "the browser loaded the page again"


def test_single_page_navigation(visitor: Visitor, site: WebSite) -> None:
    visitor.open(site.put("/"))
    visitor.run("history.pushState({ a: 1 }, '', '/shoes')")
    visitor.run("history.replaceState(null, '', '/boots?size=42')")
    first = [
        view(site.url("/")),
        view(site.url("/shoes"), site.url("/")),
        view(site.url("/boots?size=42"), site.url("/shoes")),
    ]
    assert visitor.sent() == first
    visitor.run("history.pushState(null, '', '?size=43')")
    visitor.run("new Promise(done => { addEventListener('popstate', done); history.go(-2) })")
    assert visitor.sent() == [
        view(site.url("/boots?size=43"), site.url("/boots?size=42")),
        view(site.url("/"), site.url("/boots?size=43")),
    ]


@pytest.mark.parametrize(
    "code",
    [
        "history.pushState({ scroll: 7 }, '')",
        "history.replaceState({ scroll: 7 }, '', '/list?words=a')",
        "history.replaceState(null, '', '/list?words=other')",  # a search while it is typed
        "history.pushState(null, '', '#end')",
        "new Promise(done => { addEventListener('popstate', done); location.hash = 'top' })",
    ],
)
def test_what_stays_on_the_page_is_no_view(visitor: Visitor, site: WebSite, code: str) -> None:
    site.put("/list")
    visitor.open(site.url("/list?words=a"))
    visitor.run(code)
    assert visitor.sent() == [view(site.url("/list?words=a"))]


def test_a_page_sees_its_history_work_as_before(visitor: Visitor, site: WebSite) -> None:
    visitor.open(site.put("/"))
    assert visitor.run("history.pushState({ a: 1 }, '', '/a') === undefined && history.state.a === 1")
    caught = (
        "(() => { try { history.pushState(0, '', 'http://other.example/') } catch (error) { return error.name } })()"
    )
    assert visitor.run(caught) == "SecurityError"


ROUTES: Final = {
    "/#/cart": "/cart",
    "/#!/cart": "/cart",
    "/#cart": "/cart",
    "/app/#/cart/2": "/app/cart/2",
    "/app#/cart": "/app/cart",
    "/app?utm_source=mail#/cart": "/app/cart?utm_source=mail",
    "/app?utm_source=mail#/cart?size=1": "/app/cart?utm_source=mail&size=1",
    "/app#/cart?size=1": "/app/cart?size=1",
    "/app": "/app",
    "/app#": "/app",
    "/#//other.example/cart": "/other.example/cart",
}


def test_routes_in_the_fragment_are_paths(visitor: Visitor, site: WebSite) -> None:
    for path in ("/", "/app", "/app/"):
        site.put(path, head=site.script("data-hash"))
    for address, url in ROUTES.items():
        visitor.open("about:blank")
        visitor.open(site.url(address))
        assert visitor.sent() == [view(site.url(url))], address


def test_a_change_of_the_route_is_a_view(visitor: Visitor, site: WebSite) -> None:
    visitor.open(site.put("/", head=site.script("data-hash")))
    visitor.run("new Promise(done => { addEventListener('hashchange', done); location.hash = '/cart' })")
    visitor.run("new Promise(done => { addEventListener('hashchange', done); history.back() })")
    assert visitor.sent() == [
        view(site.url("/")),
        view(site.url("/cart"), site.url("/")),
        view(site.url("/"), site.url("/cart")),
    ]


PRODUCT = '<meta name="clickpulse:product" content="{}">'


@pytest.mark.parametrize(
    ("attributes", "meta", "product"),
    [
        ("", PRODUCT.format("p7"), {"productId": "p7"}),
        ("data-product=p8", "", {"productId": "p8"}),
        ("data-product=p8", PRODUCT.format("p7"), {"productId": "p7"}),
        ("", PRODUCT.format(""), {}),
        ("", "", {}),
    ],
)
def test_the_pages_product(
    visitor: Visitor, site: WebSite, attributes: str, meta: str, product: dict[str, str]
) -> None:
    visitor.open(site.put("/", head=site.script(attributes) + meta))
    assert visitor.sent() == [view(site.url("/"), **product)]


def products(site: WebSite, views: int) -> dict[str, str]:
    """Of so many views, which may overtake one another, the product by URL."""
    return {event["url"]: event["productId"] for event in site.first_events(views)}


def test_a_single_page_application_may_render_after_it_navigates(visitor: Visitor, site: WebSite) -> None:
    visitor.open(site.put("/p7", head=site.script() + PRODUCT.format("p7")))
    visitor.run("""() => {
        history.pushState(null, '', '/p8')
        setTimeout(() => { document.querySelector('meta[name^=clickpulse]').content = 'p8' }, 20)
    }""")
    assert products(site, 2) == {site.url("/p7"): "p7", site.url("/p8"): "p8"}


def test_each_view_has_time_to_render(visitor: Visitor, site: WebSite) -> None:
    visitor.open(site.put("/", head=site.script() + PRODUCT.format("p0")))
    visitor.run("""() => {
        history.pushState(null, '', '/p1')
        setTimeout(() => {
            history.pushState(null, '', '/p2')
            setTimeout(() => { document.querySelector('meta[name^=clickpulse]').content = 'p2' }, 70)
        }, 70)
    }""")
    assert products(site, 3) == {site.url("/"): "p0", site.url("/p1"): "p0", site.url("/p2"): "p2"}


def test_a_view_keeps_the_product_of_its_own_page(visitor: Visitor, site: WebSite) -> None:
    visitor.open(site.put("/", head=site.script("data-manual")))
    visitor.run("""() => {
        const meta = Object.assign(document.createElement('meta'), { name: 'clickpulse:product' })
        document.head.append(meta)
        for (const product of ['p1', 'p2']) {
            history.pushState(null, '', '/' + product)
            clickpulse('view')
            meta.content = product
        }
    }""")
    assert [event["productId"] for event in visitor.sent()] == ["p1", "p2"]


def test_a_configured_site_and_address(visitor: Visitor, site: WebSite) -> None:
    attributes = 'data-site="shop.example" data-api="/stats/v1/events"'
    visitor.open(site.put("/", head=site.script(attributes)))
    beacon = site.beacon()
    assert (beacon.host, beacon.path) == ("shop.example", "/stats/v1/events")
    assert visitor.sent() == [view(site.url("/"), site="shop.example")]


def test_a_script_behind_a_prefix_finds_its_collector(visitor: Visitor, site: WebSite) -> None:
    visitor.open(site.put("/", head=site.script(path="/stats/s.js")))
    beacon = site.beacon()
    assert (beacon.host, beacon.path) == ("collect.example", "/stats/v1/events")


EXCLUDED: Final = [
    ("/admin/*", "/admin/users/7", False),
    ("/admin/*", "/admin/", False),
    ("/admin/*", "/admin", True),
    ("/preview, /drafts/*", "/preview", False),
    ("/preview, /drafts/*", "/drafts/1", False),
    ("/preview, /drafts/*", "/preview/1", True),
    ("*.pdf", "/files/a.pdf", False),
    ("*.pdf", "/files/apdf", True),
    ("/admin", "/en/admin", True),
    ("/a+b(c)", "/a+b(c)", False),
    ("/Admin", "/admin", False),
    ("", "/", True),
]


def test_excluded_pages_send_nothing(visitor: Visitor, site: WebSite) -> None:
    for exclude, path, is_counted in EXCLUDED:
        excluding = site.script(f'data-exclude="{exclude}"')
        visitor.open(site.put(path, head=excluding))
        visitor.run("clickpulse('event', 'Signup')")
        visitor.open(site.put("/counted", head=excluding))
        counted = [view(site.url(path)), view(site.url(path), eventType="Signup")] if is_counted else []
        assert visitor.sent() == [*counted, view(site.url("/counted"))], (exclude, path)


def test_an_application_may_count_its_own_views(visitor: Visitor, site: WebSite) -> None:
    site.put("/results", head="", body=f'<a href="{site.url("/")}">Shop</a>')
    site.put("/", head=site.script("data-manual"))
    visitor.open(site.url("/results", "search.example"))
    visitor.follow("a", site.url("/"))
    visitor.run("history.pushState(null, '', '/shoes')")
    visitor.run("clickpulse('view', { productId: 'p7' })")
    visitor.run("history.pushState(null, '', '/boots')")
    visitor.run("clickpulse('view')")
    assert visitor.sent() == [
        view(site.url("/shoes"), site.url("/", "search.example"), productId="p7"),
        view(site.url("/boots"), site.url("/shoes")),
    ]


def test_a_kept_page_of_an_application_that_counts_its_own_views_is_no_view(visitor: Visitor, site: WebSite) -> None:
    reporting = "addEventListener('pageshow', shown => shown.persisted && setTimeout(clickpulse, 0, 'event', 'again'))"
    visitor.open(site.put("/", head=site.script("data-manual"), body=f"<script>{reporting}</script>"))
    visitor.open(site.put("/next", head=""))
    visitor.run("history.back()")
    site.event("again")
    assert len(site.events()) == 1
