"""Events that a page reports, and links that lead away."""

from pathlib import Path
from typing import Any, Final

import pytest

from tests.browser.script.conftest import STUB, Visitor
from tests.support.servers.web_site import WebSite

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]


def events(visitor: Visitor) -> list[dict[str, Any]]:
    """What was sent besides views."""
    return [event for event in visitor.sent() if "eventType" in event]


def test_an_event_carries_its_page_and_its_properties(visitor: Visitor, site: WebSite) -> None:
    site.put("/thanks", head=site.script("data-product=p1"))
    visitor.open(site.put("/", body="<a href=/thanks>Buy</a>"))
    visitor.follow("a", site.url("/thanks"))
    visitor.run("""clickpulse('event', 'Purchase', {
        value: 49.9, currency: 'EUR', quantity: 2, orderId: '1001', productId: 'p7', colour: 'red',
    })""")
    visitor.run("clickpulse('event', 'Signup')")
    page = {"url": site.url("/thanks"), "referrer": site.url("/")}
    assert events(visitor) == [
        {"eventType": "Purchase", **page, "value": 49.9, "currency": "EUR", "quantity": 2, "orderId": "1001",
         "productId": "p7", "colour": "red"},
        {"eventType": "Signup", **page, "productId": "p1"},
    ]  # fmt: skip


def test_properties_replace_what_the_page_says(visitor: Visitor, site: WebSite) -> None:
    visitor.open(site.put("/thanks", head=site.script("data-product=p1 data-site=shop.example")))
    said = {
        "eventId": "order-1001",
        "url": "http://shop.example/?utm_campaign=spring",
        "referrer": "http://search.example/",
        "productId": None,
        "site": "other.example",
    }
    visitor.page.evaluate("said => clickpulse('event', 'Purchase', { ...said, eventType: 'Refund' })", said)
    purchase = site.event("Purchase")
    assert purchase == {"eventType": "Purchase", **said}


def test_an_undefined_property_is_none(visitor: Visitor, site: WebSite) -> None:
    visitor.open(site.put("/", head=site.script("data-product=p1")))
    visitor.run("clickpulse('event', 'Signup', { productId: undefined, value: undefined })")
    assert events(visitor) == [{"eventType": "Signup", "url": site.url("/"), "productId": "p1"}]


def test_an_event_is_what_it_was_when_it_was_reported(visitor: Visitor, site: WebSite) -> None:
    visitor.open(site.put("/"))
    visitor.run("""() => {
        const properties = { value: 1 }
        clickpulse('event', 'Purchase', properties)
        properties.value = 2
    }""")
    assert [event["value"] for event in events(visitor)] == [1]


def test_events_of_one_moment_share_a_beacon(visitor: Visitor, site: WebSite) -> None:
    visitor.open(site.put("/"))
    site.beacon()
    visitor.run("() => { for (let number = 0; number < 250; number += 1) clickpulse('event', 'Line', { number }) }")
    beacon = site.beacon(1)
    assert [event["number"] for event in beacon.events] == list(range(250))
    assert len({event["eventId"] for event in beacon.events}) == 250


def test_calls_before_the_script_is_there_are_kept(visitor: Visitor, site: WebSite) -> None:
    calls = "<script>clickpulse('event', 'Signup', { plan: 'pro' }); clickpulse('event', 'Search')</script>"
    visitor.open(site.put("/", head=STUB + calls + site.script()))
    assert len(site.beacon().events) == 3
    assert visitor.sent() == [
        {"url": site.url("/")},
        {"eventType": "Signup", "url": site.url("/"), "plan": "pro"},
        {"eventType": "Search", "url": site.url("/")},
    ]


def test_the_documented_line_keeps_them() -> None:
    assert STUB in (Path(__file__).parents[3] / "docs" / "collector.md").read_text(encoding="utf-8")


def test_a_stub_after_the_script_keeps_the_script(visitor: Visitor, site: WebSite) -> None:
    visitor.open(site.put("/", head=site.script().replace("defer", "") + STUB))
    visitor.run("clickpulse('event', 'Signup')")
    assert [event["eventType"] for event in events(visitor)] == ["Signup"]


@pytest.mark.parametrize("body", ["<p id=clickpulse>", "<form id=clickpulse><input name=q><input name=loaded></form>"])
def test_an_element_of_the_same_name_is_in_nobodys_way(visitor: Visitor, site: WebSite, body: str) -> None:
    visitor.open(site.put("/", body=body))
    assert visitor.sent() == [{"url": site.url("/")}]


UNSENDABLE: Final = [
    "clickpulse()",
    "clickpulse('event')",
    "clickpulse('event', '')",
    "clickpulse('unknown', 'Signup')",
    "clickpulse('event', 'Cycle', (() => { const a = {}; a.a = a; return a })())",
    "clickpulse('event', 'Big', { value: 10n })",
    "clickpulse('event', 'Getter', { get value() { throw Error('no') } })",
]


def test_what_cannot_be_sent_costs_nothing_else(visitor: Visitor, site: WebSite) -> None:
    for call in UNSENDABLE:
        visitor.open(site.put("/", head=f"{STUB}<script>{call}</script>{site.script()}"))
        visitor.run(call)
        visitor.run("clickpulse('event', 'Signup')")
        assert [event.get("eventType") for event in visitor.sent()] == [None, "Signup"], call


LINKS: Final = """
<a id=away href="http://partner.example/offer?key=1#a">Partner</a>
<a id=image href="http://partner.example/image"><svg width=20 height=20><rect id=nested width=20 height=20 /></svg></a>
<a id=port href="http://shop.example:1/">Port</a>
<a id=deaf href="http://partner.example/deaf">Deaf</a>
<map name=map><area href="http://partner.example/area" shape=rect coords=0,0,50,50 alt=Area></map>
<img id=area usemap=#map width=50 height=50 alt=""
     src="data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7">
<div id=host></div>
<a id=inside href="/cart">Cart</a>
<a id=mail href="mailto:ada@shop.example">Mail</a>
<a id=script href="javascript:void 0">Script</a>
<a id=name>Name</a>
<a id=pdf href="/files/Catalogue.PDF?v=2">PDF</a>
<a id=zip href="http://cdn.example/all.zip">ZIP</a>
<a id=named href="/invoice" download>Invoice</a>
<a id=page href="/pdf">About PDF</a>
<a id=xyz href="/model.xyz">XYZ</a>
<script>
  host.attachShadow({ mode: 'open' }).innerHTML = '<a id=shadow href="http://partner.example/shadow"><b>Shadow</b></a>'
  addEventListener('click', event => event.preventDefault())
  deaf.addEventListener('click', event => event.stopImmediatePropagation() || event.preventDefault())
</script>
"""

AWAY: Final = {
    "#away": "http://partner.example/offer",
    "#nested": "http://partner.example/image",
    "#port": "http://shop.example:1/",
    "#deaf": "http://partner.example/deaf",
    "#area": "http://partner.example/area",
    "#shadow b": "http://partner.example/shadow",
    "#inside": None,
    "#mail": None,
    "#script": None,
    "#name": None,
    "#page": None,
    "#xyz": None,
}


def test_links_to_other_hosts_are_events(visitor: Visitor, site: WebSite) -> None:
    visitor.open(site.put("/", body=LINKS))
    for link, target in AWAY.items():
        visitor.page.click(link)
        expected = {"eventType": "outbound_link", "url": site.url("/"), "target": target}
        assert events(visitor) == ([] if target is None else [expected]), link


@pytest.mark.parametrize(("button", "is_counted"), [("middle", True), ("right", False)])
def test_the_middle_button_follows_a_link_too(
    visitor: Visitor, site: WebSite, button: Any, *, is_counted: bool
) -> None:
    visitor.open(site.put("/", body=LINKS))
    visitor.page.click("#away", button=button)
    assert [event["eventType"] for event in events(visitor)] == ["outbound_link"] * is_counted


def test_the_keyboard_follows_a_link_too(visitor: Visitor, site: WebSite) -> None:
    visitor.open(site.put("/", body=LINKS))
    visitor.page.focus("#away")
    visitor.page.keyboard.press("Enter")
    assert [event["eventType"] for event in events(visitor)] == ["outbound_link"]


def test_a_link_that_leaves_the_page_is_an_event(visitor: Visitor, site: WebSite) -> None:
    site.put("/offer", head="")
    partner = site.url("/offer", "partner.example")
    visitor.open(site.put("/", body=f'<a href="{partner}">Partner</a>'))
    visitor.follow("a", partner)
    assert site.event("outbound_link")["target"] == partner


@pytest.mark.parametrize(
    ("attributes", "downloads"),
    [
        ("", {"#pdf", "#zip", "#named"}),
        ("data-downloads='xyz, zip'", {"#xyz", "#zip", "#named"}),
        ("data-downloads=''", {"#named"}),
        ("data-downloads='*'", {"#pdf", "#zip", "#named", "#xyz"}),
    ],
)
def test_files_are_downloads(visitor: Visitor, site: WebSite, attributes: str, downloads: set[str]) -> None:
    visitor.open(site.put("/", body=LINKS, head=site.script(attributes)))
    found = set()
    for link in ("#pdf", "#zip", "#named", "#page", "#xyz"):
        visitor.page.click(link)
        found |= {link for event in events(visitor) if event["eventType"] == "download" and event["target"]}
    assert found == downloads


def test_a_download_names_its_file_without_query(visitor: Visitor, site: WebSite) -> None:
    visitor.open(site.put("/", body=LINKS))
    visitor.page.click("#pdf")
    target = site.url("/files/Catalogue.PDF")
    assert events(visitor) == [{"eventType": "download", "url": site.url("/"), "target": target}]
