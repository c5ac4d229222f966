"""A page works as it would without the script, whatever the network, the browser and the page itself do."""

from typing import Final

import pytest

from tests.browser.script.conftest import STUB, WITHOUT_TIMERS, Visitor
from tests.support.servers.server_process import free_port
from tests.support.servers.web_site import WebSite

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

WITHOUT_BEACON: Final = "<script>Object.defineProperty(navigator, 'sendBeacon', { value: undefined })</script>"


def use(visitor: Visitor) -> None:
    """Do all that pages do, and wait until what goes wrong has gone wrong."""
    visitor.run("clickpulse('event', 'Signup', { plan: 'pro' })")
    visitor.run("history.pushState(null, '', '/cart')")
    visitor.page.wait_for_timeout(500)
    visitor.run("dispatchEvent(new Event('pagehide'))")


def ignore_failed_requests(visitor: Visitor) -> None:
    """Forget what the browser itself logs about each request that fails, and no page can prevent."""
    visitor.console[:] = [line for line in visitor.console if not line.startswith("Failed to load resource: ")]


def test_events_wait_for_the_network(visitor: Visitor, site: WebSite) -> None:
    visitor.open(site.put("/"))
    site.beacon()
    site.requests.clear()
    visitor.page.context.set_offline(True)
    visitor.run("() => { for (let number = 0; number < 150; number += 1) clickpulse('event', 'Line', { number }) }")
    visitor.run("history.pushState(null, '', '/cart')")
    visitor.page.wait_for_timeout(500)  # until the view has given up waiting
    assert site.requests == []
    visitor.page.context.set_offline(False)
    beacon = site.beacon()
    assert [event["number"] for event in beacon.events] == list(range(100)), "the oldest hundred"
    visitor.run("clickpulse('event', 'Signup')")
    assert site.event("Signup")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_machine_without_a_network_counts_its_own_pages(visitor: Visitor, site: WebSite, host: str) -> None:
    source = site.url("/s.js", host)
    offline = "<script>Object.defineProperty(navigator, 'onLine', { value: false })</script>"
    site.put("/", head=f'{offline}<script defer src="{source}"></script>')
    visitor.open(site.url("/", host))
    assert visitor.sent() == [{"url": site.url("/", host)}]


def test_no_answer_disturbs_the_page(visitor: Visitor, site: WebSite) -> None:
    for status in (400, 403, 404, 429, 500, 503):
        site.status = status
        visitor.open(site.put("/"))
        assert visitor.sent() == [{"url": site.url("/")}]
    ignore_failed_requests(visitor)


@pytest.mark.parametrize("has_beacon", [True, False])
def test_a_blocked_collector_is_no_error(visitor: Visitor, site: WebSite, *, has_beacon: bool) -> None:
    visitor.page.route("**/v1/events", lambda route: route.abort("blockedbyclient"))
    visitor.open(site.put("/", head=("" if has_beacon else WITHOUT_BEACON) + site.script()))
    use(visitor)
    assert site.beacons() == []
    ignore_failed_requests(visitor)


@pytest.mark.parametrize("has_beacon", [True, False])
def test_an_absent_collector_is_no_error(visitor: Visitor, site: WebSite, *, has_beacon: bool) -> None:
    head = ("" if has_beacon else WITHOUT_BEACON) + site.script(f"data-api=http://127.0.0.1:{free_port()}/v1/events")
    visitor.open(site.put("/", head=head))
    use(visitor)
    ignore_failed_requests(visitor)


def test_a_blocked_script_leaves_calls_without_effect(visitor: Visitor, site: WebSite) -> None:
    visitor.page.route("**/s.js", lambda route: route.abort("blockedbyclient"))
    visitor.open(site.put("/", head=STUB + site.script()))
    use(visitor)
    ignore_failed_requests(visitor)


@pytest.mark.parametrize("has_beacon", [True, False])
def test_a_policy_that_forbids_the_collector_is_no_error(visitor: Visitor, site: WebSite, *, has_beacon: bool) -> None:
    policy = {"Content-Security-Policy": "connect-src 'none'"}
    head = ("" if has_beacon else WITHOUT_BEACON) + site.script()
    visitor.open(site.put("/", head=head, headers=policy))
    use(visitor)
    assert site.beacons() == []
    reports = [line for line in visitor.console if "Content Security Policy" in line]  # the browser's
    assert reports
    assert reports == visitor.console
    visitor.console.clear()


def test_a_strict_policy_needs_the_collector_alone(visitor: Visitor, site: WebSite) -> None:
    collector = site.url("", "collect.example")
    policy = f"default-src 'none'; script-src {collector}; connect-src {collector}; img-src data:; require-trusted-types-for 'script'; trusted-types 'none'"  # fmt: skip  # noqa: E501
    visitor.open(site.put("/", headers={"Content-Security-Policy": policy}))
    visitor.run("clickpulse('event', 'Signup')")
    assert [event.get("eventType") for event in visitor.sent()] == [None, "Signup"]


def test_browsers_without_beacons_fetch(visitor: Visitor, site: WebSite) -> None:
    spy = (
        "fetch = new Proxy(fetch, { apply: (real, _, given) => { window.options = given[1]; return real(...given) } })"
    )
    visitor.open(site.put("/", head=f"{WITHOUT_BEACON}<script>{spy}</script>{site.script()}"))
    assert site.beacon().headers["content-type"] == "text/plain;charset=UTF-8"
    assert visitor.run("options.keepalive"), "the page's end would cancel it"
    assert visitor.sent() == [{"url": site.url("/")}]


def test_a_fetch_survives_the_page(visitor: Visitor, site: WebSite) -> None:
    leaving = "<script>addEventListener('load', () => { location.href = '/next' })</script>"
    site.put("/", head=WITHOUT_BEACON + WITHOUT_TIMERS + site.script(), body=leaving)
    site.put("/next", head="")
    visitor.open(site.url("/"))
    visitor.page.wait_for_url("**/next")
    assert site.beacon().events[0]["url"] == site.url("/")


def test_what_is_too_much_for_beacons_is_fetched(visitor: Visitor, site: WebSite) -> None:
    visitor.open(site.put("/"))
    site.beacon()
    site.answering.clear()  # so that all beacons are on their way together
    visitor.run("""async () => {
        for (let number = 0; number < 4; number += 1) {
            clickpulse('event', 'Long', { number, text: 'x'.repeat(30000) })
            await null
        }
    }""")
    assert sorted(event["number"] for event in site.first_events(5)[1:]) == [0, 1, 2, 3]
    assert len(site.beacons()) == 5


STRANGE: Final = [
    "Object.freeze(history)",
    "crypto.getRandomValues = () => { throw Error('no') }",
    "navigator.sendBeacon = () => { throw Error('no') }",
    "Object.defineProperty(navigator, 'sendBeacon', { value: undefined }); delete window.fetch",
    "JSON.stringify = () => { throw Error('no') }",
    "Object.defineProperty(window, 'clickpulse', { value: () => {} })",
    "window.clickpulse = Object.assign(() => {}, { q: 7 })",
    "window.clickpulse = Object.assign(() => {}, { q: [null, [1], ['event', { a: 1 }], ['view', 7]] })",
]
WRONG: Final = ["data-api=http://[", "data-api=ftp://x/", "data-exclude='['", "data-downloads='('", "type=module"]


def test_a_strange_page_gets_no_error(visitor: Visitor, site: WebSite) -> None:
    for code in STRANGE:
        visitor.open(site.put("/", head=f"<script>{code}</script>{STUB}{site.script()}"))
        use(visitor)
        assert (visitor.errors, visitor.console) == ([], []), code


def test_a_wrong_attribute_gets_no_error(visitor: Visitor, site: WebSite) -> None:
    for attributes in WRONG:
        visitor.open(site.put("/", head=STUB + site.script(attributes)))
        use(visitor)
        assert (visitor.errors, visitor.console) == ([], []), attributes
