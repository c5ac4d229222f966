"""What a page still needs: each thing that may be missing, on a local web server, and its remedy."""

from collections.abc import Iterator
from email.message import Message

import msgspec
import pytest

from services.collect.checking.command import check, is_page
from services.collect.checking.fetching import Fetched, fetch
from services.collect.checking.findings import Finding, findings
from services.collect.checking.self_report import SelfReport
from services.collect.sites import Site, Sites
from tests.unit.collect.checking.web_server import Reply, WebServer, web_server

GOOD = SelfReport("clickpulse", True, "127.0.0.1", False, True, "127.0.0.1", None, "anonymous", True)
PAGE = b'<head><script defer src="/stats/s.js"></script></head>'


@pytest.fixture
def site() -> Iterator[WebServer]:
    """A page that lacks nothing."""
    with web_server(
        {"/": Reply(PAGE), "/stats/s.js": Reply(b"window.clickpulse=1"), "/stats/v1/check": Reply()}
    ) as server:
        answer(server)
        yield server


def answer(server: WebServer, /, **fields: object) -> None:
    """Let the collector report this."""
    server.replies["/stats/v1/check"] = Reply(msgspec.json.encode(msgspec.structs.replace(GOOD, **fields)))


def found(site: WebServer, sites: Sites | None = None) -> list[Finding]:
    return list(findings(f"{site.url}/", fetch, "/s.js", sites or Sites()))


def missing(site: WebServer, sites: Sites | None = None) -> list[tuple[str, str]]:
    return [(what, remedy) for is_ok, what, remedy in found(site, sites) if not is_ok]


def test_a_page_that_lacks_nothing(site: WebServer, capsys: pytest.CaptureFixture[str]) -> None:
    assert missing(site) == []
    assert [what for _, what, _ in found(site)] == [
        f"the page answers at {site.url}/",
        f"the script is at {site.url}/stats/s.js",
        "attributes: none",
        "no Content-Security-Policy forbids to send events",
        f"the collector answers at {site.url}",
        f"the site 127.0.0.1 is accepted from pages of {site.url}",
        "the collector sees you as 127.0.0.1",
        "visitors with Sec-GPC or DNT are counted, as somebody else each half hour (GPC=anonymous)",
    ]
    path, headers = site.asked[-1]
    assert path == "/stats/v1/check?site=127.0.0.1"
    assert (headers["origin"], headers["sec-gpc"]) == (site.url, "1")
    assert check(f"{site.url}/", "/s.js", Sites()) == 0
    assert capsys.readouterr().out.startswith("ok       the page answers at http://127.0.0.1")


def test_what_is_missing_is_printed_with_its_remedy(site: WebServer, capsys: pytest.CaptureFixture[str]) -> None:
    site.replies["/"] = Reply(b"<p>no script")
    assert check(f"{site.url}/", "/s.js", Sites()) == 1
    assert capsys.readouterr().out.splitlines()[1:] == [
        "missing  the page has no script of the collector",
        '         → add <script defer src="https://COLLECTOR/s.js"></script> to its head',
    ]


def test_a_page_that_does_not_answer(site: WebServer) -> None:
    site.replies["/"] = Reply(b"", 500)
    assert missing(site) == [("the page answers 500", "name a page that visitors see")]
    gone = list(findings("http://127.0.0.1:9/", fetch, "/s.js", Sites()))
    assert gone[0].what.startswith("the page does not answer")


def test_a_script_that_does_not_load(site: WebServer) -> None:
    site.replies["/stats/s.js"] = Reply(b"", 502)
    ((what, remedy),) = missing(site)
    assert what == f"the script at {site.url}/stats/s.js does not load: answers 502"
    assert "start clickpulse collect" in remedy


def test_a_script_of_another_name_is_found_by_its_content(site: WebServer) -> None:
    site.replies["/"] = Reply(b"<script src=/other.js></script><script src=/stats/x.js></script>")
    site.replies |= {"/other.js": Reply(b"1"), "/stats/x.js": Reply(b"window.clickpulse=1")}
    assert missing(site) == []


def test_the_attributes_decide_where_events_go_and_for_which_site(site: WebServer) -> None:
    site.replies["/"] = Reply(
        b'<script data-api="/stats/v1/events" data-site=shop.example data-domain=x src=/s.js></script>'
    )
    site.replies["/s.js"] = Reply(b"window.clickpulse=1")
    assert missing(site) == []
    assert 'attributes: data-site="shop.example", data-api="/stats/v1/events"; ignored: data-domain' in [
        what for _, what, _ in found(site)
    ]
    assert site.asked[-1][0] == "/stats/v1/check?site=shop.example"


@pytest.mark.parametrize(("patterns", "is_excluded"), [("/admin/*, /", True), ("/*", True), ("/x", False), ("", False)])
def test_an_excluded_page_is_said(site: WebServer, patterns: str, is_excluded: bool) -> None:
    site.replies["/"] = Reply(b'<script src="/stats/s.js" data-exclude="%s"></script>' % patterns.encode())
    assert [what for what, _ in missing(site)] == ["data-exclude keeps this page from sending anything"] * is_excluded


def test_a_module_is_said(site: WebServer) -> None:
    site.replies["/"] = Reply(b'<script type=module src="/stats/s.js"></script>')
    assert [what for what, _ in missing(site)] == ['the script has type="module"']


def test_policies_that_forbid_the_script_or_its_events(site: WebServer) -> None:
    policy = "script-src 'none'; connect-src https://elsewhere.example"
    site.replies["/"] = Reply(PAGE, headers={"Content-Security-Policy": policy})
    assert missing(site) == [
        ("the Content-Security-Policy forbids the script: script-src 'none'", f"add {site.url} to script-src"),
        (
            "the Content-Security-Policy forbids to send events: connect-src https://elsewhere.example",
            f"add {site.url} to connect-src",
        ),
    ]
    site.replies["/"] = Reply(PAGE, headers={"Content-Security-Policy-Report-Only": policy})
    assert missing(site) == []


def test_a_collector_that_is_not_there(site: WebServer) -> None:
    site.replies["/stats/v1/check"] = Reply(b"<html>", 404)
    ((what, remedy),) = missing(site)
    assert what == f"no collector answers at {site.url}/stats/v1/check: the status is 404"
    assert "pass on /v1/" in remedy


def test_then_the_sites_file_of_this_machine_is_asked(site: WebServer) -> None:
    site.replies["/stats/v1/check"] = Reply(b"{}", 200)
    assert len(missing(site)) == 1
    assert missing(site, Sites([Site("shop.example")]))[1][0].startswith("the site 127.0.0.1 is not in SITES_FILE")


def test_a_site_or_origin_that_is_refused(site: WebServer) -> None:
    answer(site, site=None, accepts_origin=False)
    ((what, remedy),) = missing(site)
    assert what == "the site 127.0.0.1 is not in SITES_FILE: its events are refused"
    assert 'name = "127.0.0.1"' in remedy
    answer(site, accepts_origin=False)
    ((what, remedy),) = missing(site)
    assert what == f"the site 127.0.0.1 takes no events from pages of {site.url}"
    assert f'"{site.url}"' in remedy
    answer(site, is_open=True)
    assert "the collector has no SITES_FILE" in found(site)[5].what


def test_a_proxy_that_is_taken_for_the_visitor(site: WebServer) -> None:
    answer(site, address="172.18.0.1", ignored_header="x-forwarded-for")
    ((what, remedy),) = missing(site)
    assert what == "the collector takes the proxy 172.18.0.1 for the visitor and ignores its x-forwarded-for"
    assert "TRUSTED_PROXIES=172.18.0.1" in remedy


def test_an_inner_address_behind_a_public_name_is_a_proxys() -> None:
    report = msgspec.structs.replace(GOOD, site="shop.example", address="10.0.0.3")

    def answering(url: str, _: object) -> Fetched:
        bodies = {"/": PAGE, "/stats/s.js": b"clickpulse"}
        path = url.removeprefix("https://shop.example").partition("?")[0]
        return Fetched(url, 200, Message(), bodies.get(path, msgspec.json.encode(report)))

    (wrong,) = [one for one in findings("https://shop.example/", answering, "/s.js", Sites()) if not one.is_ok]
    assert wrong.what == "the collector sees 10.0.0.3 as your address, which is no visitor's"
    assert "X-Forwarded-For" in wrong.remedy


def test_a_collector_without_its_log_and_a_proxy_that_drops_the_signal(site: WebServer) -> None:
    answer(site, is_accepting=False, signal=False)
    assert [what for what, _ in missing(site)] == [
        "the collector answers 503: its event log is away",
        "the header Sec-GPC does not reach the collector: visitors who ask not to be followed are",
    ]


def test_a_page_over_https_with_a_script_over_http() -> None:
    def answering(url: str, _: object) -> Fetched:
        body = b"<script src=http://collect.example/s.js></script>" if url.endswith("shop.example/") else b"clickpulse"
        return Fetched(url, 200, Message(), body)

    said = [one.what for one in findings("https://shop.example/", answering, "/s.js", Sites()) if not one.is_ok]
    assert (
        said[0] == "the script is at http://collect.example/s.js, but browsers load nothing over http on an https page"
    )


def test_a_hostile_page_cannot_write_to_the_terminal(site: WebServer, capsys: pytest.CaptureFixture[str]) -> None:
    site.replies["/"] = Reply(b'<script data-site="\x1b[2J\x07" src="/stats/s.js"></script>')
    check(f"{site.url}/", "/s.js", Sites())
    assert capsys.readouterr().out.replace("\n", "").isprintable()


@pytest.mark.parametrize(
    ("text", "expected"),
    [("https://shop.example", True), ("http://localhost:3000/x", True), ("shop.example", False), ("ftp://x", False),
     ("https://", False), ("http://[", False)],
)  # fmt: skip
def test_what_a_page_is(text: str, expected: bool) -> None:
    assert is_page(text) is expected
