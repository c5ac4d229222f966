"""What a page still needs before its visits are counted. Talks to the site through a `Fetch` alone."""

import re
from collections.abc import Generator, Iterator
from ipaddress import ip_address
from typing import Final, NamedTuple
from urllib.parse import quote, urljoin, urlsplit

import msgspec

from services.collect.checking.fetching import Fetch, Fetched, Unanswered
from services.collect.checking.page import ATTRIBUTES, Page, Script, likely_first, page_of
from services.collect.checking.policy import CONNECT, SCRIPT, blocking
from services.collect.checking.self_report import SelfReport
from services.collect.sites import Sites
from shared.events.hosts import site_name

_MOST_SCRIPTS: Final = 8
_OURS: Final = b"clickpulse"
_GPC_WORDS: Final = {
    "ignore": "are counted like all others (GPC=ignore)",
    "anonymous": "are counted, as somebody else each half hour (GPC=anonymous)",
    "drop": "are not counted (GPC=drop)",
}


class Finding(NamedTuple):
    """One line: what is there, or what is missing and how to mend it."""

    is_ok: bool
    what: str
    remedy: str = ""


def findings(url: str, fetch: Fetch, script_path: str, sites: Sites) -> Iterator[Finding]:
    """Check the page at `url`. `sites`, of this machine's SITES_FILE, serve where the collector does not answer."""
    try:
        answer = fetch(url, {})
    except Unanswered as error:
        yield Finding(False, f"the page does not answer: {error}", "correct the address, or start the web server")
        return
    if answer.status != 200:
        yield Finding(False, f"the page answers {answer.status}", "name a page that visitors see")
        return
    yield Finding(True, f"the page answers at {answer.url}")
    policies = answer.headers.get_all("content-security-policy", [])
    page = page_of(answer.url, answer.body.decode("utf-8", "replace"), policies)
    script = yield from _script(page, fetch, script_path)
    if script is None:
        return
    api = urljoin(page.url, script.data["api"]) if script.data.get("api") else urljoin(script.url, "v1/events")
    yield from _attributes(page, script)
    yield from _policies(page, script, api)
    yield from _collector(page, script, api, fetch, sites)


def _script(page: Page, fetch: Fetch, script_path: str) -> Generator[Finding, None, Script | None]:
    problems = []
    for script in likely_first(page.scripts, script_path)[:_MOST_SCRIPTS]:
        try:
            answer = fetch(script.url, {})
        except Unanswered as error:
            problems.append((script, str(error)))
            continue
        if _OURS in answer.body and answer.status == 200:
            yield Finding(True, f"the script is at {script.url}")
            if script.is_module:
                yield Finding(
                    False,
                    'the script has type="module"',
                    "remove the attribute: a module does not find its own element",
                )
            yield from _unmixed(page, script.url, "the script")
            return script
        if answer.status != 200:
            problems.append((script, f"answers {answer.status}"))
    for script, problem in problems:
        if urlsplit(script.url).path.endswith(script_path) or any(name in ATTRIBUTES for name in script.data):
            yield Finding(
                False,
                f"the script at {script.url} does not load: {problem}",
                "start clickpulse collect there, or have the proxy pass this path on to it",
            )
            return None
    yield Finding(
        False,
        "the page has no script of the collector",
        f'add <script defer src="https://COLLECTOR{script_path}"></script> to its head',
    )
    return None


def _attributes(page: Page, script: Script) -> Iterator[Finding]:
    own = {name: script.data[name] for name in ATTRIBUTES if name in script.data}
    known = [f'data-{name}="{value}"' if value else f"data-{name}" for name, value in own.items()]
    ignored = [f"data-{name}" for name in script.data if name not in ATTRIBUTES]
    what = f"attributes: {', '.join(known) or 'none'}"
    yield Finding(True, f"{what}; ignored: {', '.join(ignored)}" if ignored else what)
    if "exclude" in script.data and _is_excluded(urlsplit(page.url).path or "/", script.data["exclude"]):
        yield Finding(False, "data-exclude keeps this page from sending anything", "check a page that it does not name")


def _is_excluded(path: str, patterns: str) -> bool:
    expressions = (
        re.escape(pattern.strip()).replace(r"\*", ".*") for pattern in patterns.split(",") if pattern.strip()
    )
    return any(re.fullmatch(expression, path, re.IGNORECASE) for expression in expressions)


def _policies(page: Page, script: Script, api: str) -> Iterator[Finding]:
    rule = blocking(page.policies, SCRIPT, script.url, page.url, script.nonce)
    if rule is not None:
        yield Finding(
            False, f"the Content-Security-Policy forbids the script: {rule}", f"add {_origin(script.url)} to script-src"
        )
    rule = blocking(page.policies, CONNECT, api, page.url)
    if rule is not None:
        yield Finding(
            False, f"the Content-Security-Policy forbids to send events: {rule}", f"add {_origin(api)} to connect-src"
        )
        return
    yield Finding(True, "no Content-Security-Policy forbids to send events")


def _collector(page: Page, script: Script, api: str, fetch: Fetch, sites: Sites) -> Iterator[Finding]:
    yield from _unmixed(page, api, "the collector")
    site = site_name(script.data.get("site") or page.url)
    report = yield from _report(page, site, api, fetch)
    if report is None:
        if not sites.are_open:
            known, origin = sites.named(site), _origin(page.url)
            yield from _site(site, origin, known is not None, known is not None and known.allows_origin(origin))
        return
    if not report.is_accepting:
        yield Finding(False, "the collector answers 503: its event log is away", "see its /health, or Operations")
    if report.is_open:
        yield Finding(True, f"the site {site} is accepted, as every other: the collector has no SITES_FILE")
    else:
        yield from _site(site, _origin(page.url), report.site is not None, report.accepts_origin)
    yield _address(report, api)
    yield _signal(report)


def _report(page: Page, site: str | None, api: str, fetch: Fetch) -> Generator[Finding, None, SelfReport | None]:
    url = f"{urljoin(api, 'check')}?site={quote(site or '')}"
    headers = {"Origin": _origin(page.url), "Sec-GPC": "1"}
    remedy = "start clickpulse collect there, and have the proxy pass on /v1/ to it"
    try:
        answer = fetch(url, headers)
    except Unanswered as error:
        yield Finding(False, f"the collector at {_origin(api)} does not answer: {error}", remedy)
        return None
    report = _decoded(answer)
    if report is None:
        yield Finding(False, f"no collector answers at {url.partition('?')[0]}: the status is {answer.status}", remedy)
        return None
    yield Finding(True, f"the collector answers at {_origin(api)}")
    return report


def _decoded(answer: Fetched) -> SelfReport | None:
    try:
        report = msgspec.json.decode(answer.body, type=SelfReport)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return report if report.collector == "clickpulse" else None


def _site(site: str | None, origin: str, is_known: bool, allows_origin: bool) -> Iterator[Finding]:
    if not is_known:
        yield Finding(
            False,
            f"the site {site} is not in SITES_FILE: its events are refused",
            f'add [[sites]] with name = "{site}" to it, and restart clickpulse collect',
        )
    elif not allows_origin:
        yield Finding(
            False,
            f"the site {site} takes no events from pages of {origin}",
            f'add "{origin}" to its origins in SITES_FILE, and restart clickpulse collect',
        )
    else:
        yield Finding(True, f"the site {site} is accepted from pages of {origin}")


def _address(report: SelfReport, api: str) -> Finding:
    if report.ignored_header is not None:
        return Finding(
            False,
            f"the collector takes the proxy {report.address} for the visitor and ignores its {report.ignored_header}",
            f"set TRUSTED_PROXIES={report.address} for clickpulse collect, or the network of your proxies",
        )
    if _is_inner(report.address) and not _is_inner(urlsplit(api).hostname or ""):
        return Finding(
            False,
            f"the collector sees {report.address} as your address, which is no visitor's",
            "have the proxy send X-Forwarded-For, and name its network in TRUSTED_PROXIES",
        )
    return Finding(True, f"the collector sees you as {report.address}")


def _is_inner(host: str) -> bool:
    """Whether it is an address, or a name, of this machine or its network."""
    try:
        return not ip_address(host).is_global
    except ValueError:
        return host == "localhost" or host.endswith((".localhost", ".local", ".internal", ".test")) or "." not in host


def _signal(report: SelfReport) -> Finding:
    if not report.signal:
        return Finding(
            False,
            "the header Sec-GPC does not reach the collector: visitors who ask not to be followed are",
            "have the proxy pass on Sec-GPC and DNT",
        )
    return Finding(True, f"visitors with Sec-GPC or DNT {_GPC_WORDS[report.gpc]}")


def _unmixed(page: Page, url: str, what: str) -> Iterator[Finding]:
    if page.url.startswith("https:") and not url.startswith("https:"):
        yield Finding(
            False, f"{what} is at {url}, but browsers load nothing over http on an https page", "use https there"
        )


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
