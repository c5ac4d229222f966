"""A request to the collector, as far as it is pure: read, judged, and answered as if the log had taken the clicks."""

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from services.collect.answers import Outcome
from services.collect.clicks import Click
from services.collect.protocols import methods_of, refusal_of
from services.collect.request import Answer, Rejected, Request
from services.collect.rules import Judged, Rules
from services.collect.sites import Site, Sites
from shared.events.collected import OUTCOMES
from shared.events.limits import Limits
from shared.runtime.token_buckets import TokenBuckets

NOW_MS: Final = 1_795_000_000_000
ADDRESS: Final = "203.0.113.7"
KEY: Final = "a key of sixteen characters"
MOST: Final = 10
SHOP: Final = Sites([Site("shop.example", key=KEY, user_ids=True)])
OPEN: Final = Sites()


class Reply(NamedTuple):
    """What the collector made of a request."""

    judged: Judged
    answer: Answer

    @property
    def click(self) -> Click:
        """The only click; it was accepted."""
        assert self.judged.refused == []
        (click,) = self.judged.clicks
        return click

    @property
    def said(self) -> Any:
        """The answer's JSON."""
        return json.loads(self.answer.body)

    @property
    def fields(self) -> dict[str, Any]:
        """The only click as the raw topic has it, without what its request says."""
        written: dict[str, Any] = json.loads(self.click.encoded())
        return {name: value for name, value in written.items() if name not in ("timestamp", "ip", "userId")}


def posted(path: str, body: object, sites: Sites = OPEN, **headers: str) -> Reply:
    """Send a body: bytes, or what JSON writes. `headers` have `_` for `-`. Raises Rejected."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return _replied(Request("POST", path, "", _given(headers), content, ADDRESS, NOW_MS), sites)


def answered(path: str, body: object, sites: Sites = OPEN, **headers: str) -> Answer:
    """The answer to a body, also to one that is refused as a whole."""
    try:
        return posted(path, body, sites, **headers).answer
    except Rejected as rejected:
        return refusal_of(path, rejected)


def asked(path: str, query: str, sites: Sites = OPEN, **headers: str) -> Reply:
    """Get a path with a query. Raises Rejected."""
    return _replied(Request("GET", path, query, _given(headers), b"", ADDRESS, NOW_MS), sites)


def _given(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def _replied(request: Request, sites: Sites) -> Reply:
    methods = methods_of(request.path)
    assert methods is not None
    received = methods[request.method](request, MOST)
    rules = Rules(sites, Limits(), "anonymous", TokenBuckets(1000, 1000), TokenBuckets(1000, 1000))
    judged = rules.judge(received, request, 0.0)
    assert len(judged.clicks) + len(judged.refused) == len(received.events)
    assert all(mistake.reason in OUTCOMES for _, mistake in judged.refused)
    return Reply(judged, received.answer(Outcome(len(judged.clicks), judged.refused)))
