"""Every event that the collector receives has exactly one outcome, and the counts add up at every instant."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import pytest

from services.collect.app import Bounds, CollectApp
from services.collect.appender import Appender, Done, Outgoing, Unavailable
from services.collect.keeping import Keeping
from services.collect.rules import Rules
from services.collect.sites import Gpc, Site, Sites
from services.collect.tally import Tally
from shared.events.collected import ACCEPTED, OUTCOMES, Refused
from shared.events.limits import Limits
from shared.events.refusals import Reason
from shared.runtime.token_buckets import TokenBuckets
from shared.status.gauges import Gauges
from shared.status.health import Health
from tests.support import own_loop

URL = "https://shop.example/coats"


class Log:
    """Stands for the appender."""

    def __init__(self, gauges: Gauges) -> None:
        self._gauges = gauges
        self.error: BaseException | None = None
        self.fails_at_once = False
        self.waiting_seen: list[int] = []

    async def append(self, _: Outgoing) -> None:
        self.waiting_seen.append(self._gauges.collected.waiting)
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error

    def submit(self, _: Outgoing, done: Done) -> None:
        self.waiting_seen.append(self._gauges.collected.waiting)
        if isinstance(self.error, Unavailable) and not self.fails_at_once:
            done(self.error)
        elif self.error is not None:
            raise self.error
        else:
            done(None)


class Collector:
    """The application without a server."""

    is_direct = False
    """Whether requests are answered without a task."""

    def __init__(
        self,
        per_second: float = 1000,
        gpc: Gpc = "anonymous",
        sites: Sequence[Site] = (Site("shop.example"),),
        kept_per_second: float = 1e6,
    ) -> None:
        self.gauges, self.health = Gauges(), Health("collect")
        self.log = Log(self.gauges)
        rules = Rules(
            Sites(sites),
            Limits(),
            gpc,
            TokenBuckets(per_second, 10 * per_second),
            TokenBuckets(per_second, 10 * per_second),
        )
        self.app = CollectApp(
            rules,
            cast(Appender, self.log),
            Tally(self.gauges),
            Keeping(kept_per_second, self.gauges, self.health, calm_seconds=0),
            bounds=Bounds(body_bytes=4096, events=10),
            trusted=[],
            raw_topic="click-data",
        )

    def send(
        self,
        body: bytes,
        receive: Callable[[], Any] | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        app: Any = None,
        path: str = "/v1/events",
    ) -> int:
        """Post a body; returns the status."""
        status = 0

        async def receive_body() -> dict[str, Any]:
            return {"type": "http.request", "body": body}

        async def send(message: Any) -> None:
            nonlocal status
            status = message.get("status", status)

        scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in (headers or {}).items()],
            "client": ("203.0.113.7", 1234),
        }
        if self.is_direct and app is None and receive is None:
            assert self.app.is_direct(scope)
            statuses: list[int] = []
            self.app.answer_directly(scope, body, lambda status, _, __: statuses.append(status))
            (status,) = statuses
        else:
            own_loop.run((app or self.app)(scope, receive or receive_body, send))
        self.balances()
        return status

    def balances(self) -> None:
        counts = self.gauges.collected
        assert counts.received == counts.waiting + sum(counts.outcomes.values())
        assert counts.outcomes.keys() <= set(OUTCOMES)

    @property
    def counts(self) -> dict[str, int]:
        assert self.gauges.collected.waiting == 0
        return dict(self.gauges.collected.outcomes)


@pytest.fixture(autouse=True, params=["with a task", "directly"])
def _both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Collector, "is_direct", request.param == "directly")


def clicks(*urls: str) -> bytes:
    return json.dumps([{"url": url} for url in urls]).encode()


def test_outcomes_are_a_closed_list_without_repetition() -> None:
    assert len(set(OUTCOMES)) == len(OUTCOMES)


def test_accepted_events_are_those_that_the_log_acknowledged() -> None:
    collector = Collector()
    assert collector.send(clicks(URL, URL, URL)) == 202
    assert collector.counts == {ACCEPTED: 3}
    assert collector.gauges.events == 3
    assert collector.log.waiting_seen == [3]  # while the log has not answered they are neither accepted nor refused


def test_each_event_of_a_request_has_its_own_outcome() -> None:
    collector = Collector()
    assert collector.send(b'[{"url":"%s"},{"url":"https://other.example/"},{"age":{}}]' % URL.encode()) == 202
    assert collector.counts == {ACCEPTED: 1, Refused.UNKNOWN_SITE: 1, Reason.WRONG_TYPE: 1}
    assert collector.gauges.dead_letters == {"wrong_type": 1}  # the body is kept


@pytest.mark.parametrize(
    ("body", "headers", "status", "reason"),
    [
        (b"{", {}, 400, Reason.NOT_JSON),
        (b"\xff", {}, 400, Reason.NOT_UTF8),
        (b"x" * 5000, {}, 413, Reason.TOO_LARGE),
        (b"x", {"content-encoding": "gzip"}, 400, Refused.UNPACKED),
        (clicks(*[URL] * 11), {}, 413, Refused.TOO_MANY),
        (b"[" * 4000, {}, 400, Refused.TOO_DEEP),
    ],
)
def test_a_request_that_cannot_be_read_counts_as_one(
    body: bytes, headers: dict[str, str], status: int, reason: str
) -> None:
    collector = Collector()
    assert collector.send(body, headers=headers) == status
    assert collector.counts == {reason: 1}


@pytest.mark.parametrize(
    ("body", "path", "reason"),
    [
        (b"{", "/v1/events", Reason.NOT_JSON),
        (b"\xff", "/api/event", Reason.NOT_UTF8),
        (b"{", "/v1/track", Reason.NOT_JSON),
        (b'{"batch":7}', "/v1/batch", Reason.WRONG_TYPE),
        (b"[]", "/com.snowplowanalytics.snowplow/tp2", Reason.NOT_AN_OBJECT),
        (b"{", "/api/send", Reason.NOT_JSON),
    ],
)
def test_what_a_sender_would_want_back_is_kept(body: bytes, path: str, reason: Reason) -> None:
    collector = Collector()
    assert collector.send(body, path=path) == 400
    assert collector.counts == {reason: 1}
    assert collector.gauges.dead_letters == {reason: 1}


@pytest.mark.parametrize("body", [b"{", b'{"age":{}}'])
@pytest.mark.parametrize(
    ("headers", "gpc", "kept"),
    [
        ({"sec-gpc": "1"}, "anonymous", 1),
        ({}, "drop", 1),
        ({"sec-gpc": "1"}, "drop", 0),
        ({"dnt": "1"}, "drop", 0),
        ({"cookie": "clickpulse_opt_out=1"}, "anonymous", 0),
    ],
)
def test_nothing_is_kept_of_who_wants_none(body: bytes, headers: dict[str, str], gpc: Gpc, kept: int) -> None:
    for sites in ([Site("shop.example")], [Site("shop.example", gpc=gpc)]):
        collector = Collector(gpc="anonymous" if sites[0].gpc else gpc, sites=sites)
        collector.send(body, headers=headers)
        assert sum(collector.gauges.dead_letters.values()) == kept


def test_bodies_that_cannot_be_read_are_limited_by_address() -> None:
    collector = Collector(per_second=1)
    assert [collector.send(b"{") for _ in range(12)] == [400] * 10 + [429] * 2
    assert collector.gauges.dead_letters == {Reason.NOT_JSON: 10}


def test_what_is_kept_is_limited_in_total() -> None:
    collector = Collector(kept_per_second=10)  # 600 bytes at once
    assert [collector.send(b"{" * 100) for _ in range(8)] == [400] * 8
    assert collector.counts == {Reason.NOT_JSON: 8}
    assert collector.gauges.dead_letters == {Reason.NOT_JSON: 6}
    assert collector.gauges.dead_letters_not_kept == {Reason.NOT_JSON: 2}
    assert "only counted" in collector.health.troubles()["dead_letters"].reason
    collector.send(clicks(URL))
    assert collector.health.troubles() == {}


def test_strangers_do_not_take_what_is_kept_of_a_sites_servers() -> None:
    collector = Collector(kept_per_second=1, sites=[Site("shop.example", key="k" * 16)])
    wrong = b'[{"age":{}}]'
    for _ in range(8):
        collector.send(wrong)
    assert collector.gauges.dead_letters == {Reason.WRONG_TYPE: 5}
    collector.send(wrong, headers={"authorization": "Bearer " + "k" * 16})
    assert collector.gauges.dead_letters == {Reason.WRONG_TYPE: 6}


def test_a_client_that_leaves_or_is_cut_off_is_counted() -> None:
    collector = Collector()

    async def left() -> Any:
        return {"type": "http.disconnect"}

    assert collector.send(b"", receive=left) == 408
    assert collector.counts == {Refused.SLOW: 1}


def test_who_opted_out_and_who_sends_too_much_is_counted() -> None:
    collector = Collector(per_second=0.1)
    assert collector.send(clicks(URL), headers={"cookie": "clickpulse_opt_out=1"}) == 202
    assert collector.send(clicks(URL)) == 202
    assert collector.send(clicks(URL, URL)) == 429
    assert collector.counts == {Refused.OPTED_OUT: 1, ACCEPTED: 1, Refused.RATE_LIMITED: 2}


def test_a_request_on_a_connection_too_many_is_one_event() -> None:
    collector = Collector()
    assert collector.send(clicks(URL, URL), app=collector.app.turn_away) == 503
    assert collector.counts == {Refused.CROWDED: 1}


def test_what_sends_no_event_is_turned_away_uncounted() -> None:
    collector = Collector()
    assert collector.send(b"", app=collector.app.turn_away, path="/s.js") == 503
    assert collector.counts == {}


@pytest.mark.parametrize("fails_at_once", [True, False])
@pytest.mark.parametrize("reason", ["log_unavailable", "overloaded"])
def test_503_counts_every_event_of_the_request(reason: str, fails_at_once: bool) -> None:
    collector = Collector()
    collector.log.fails_at_once = fails_at_once
    collector.log.error = Unavailable(reason)
    assert collector.send(b'[{"url":"%s"},{"url":"https://other.example/"}]' % URL.encode()) == 503
    assert collector.counts == {reason: 2}
    assert collector.gauges.events == 0


def test_what_is_refused_needs_no_log() -> None:
    collector = Collector()
    collector.log.error = Unavailable("log_unavailable")
    assert collector.send(clicks("https://other.example/")) == 403
    assert collector.counts == {Refused.UNKNOWN_SITE: 1}


def test_a_bug_and_the_end_of_the_process_leave_no_event_without_an_outcome() -> None:
    collector = Collector()
    collector.log.error = ZeroDivisionError()
    assert collector.send(clicks(URL, URL)) == 500
    assert collector.counts == {Refused.FAILED: 2}
    if not collector.is_direct:
        collector.log.error = asyncio.CancelledError()
        with pytest.raises(asyncio.CancelledError):
            collector.send(clicks(URL))
        collector.balances()
        assert collector.counts == {Refused.FAILED: 3}
