"""What the collector decides about a request's events: their clicks, or why they are refused. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from services.collect.clicks import Click, Fields, Mistake, click_of
from services.collect.keeping import STRANGERS
from services.collect.protocols.reading import Received
from services.collect.request import Request
from services.collect.sites import Gpc, Site, Sites, gpc_of
from services.collect.visitor import anonymous_identity_of, identity_of
from shared.events.collected import Refused
from shared.events.hosts import site_name
from shared.events.limits import Limits, shortened
from shared.runtime.token_buckets import TokenBuckets

OPT_OUT_COOKIE: Final = "clickpulse_opt_out"


class Judged(NamedTuple):
    """Clicks for the log, the text to hash for each that has no user id, and the refused, by place in the request."""

    clicks: Sequence[Click]
    identities: Sequence[str | None]
    refused: Sequence[tuple[int, Mistake]]
    retry_after_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Rules:
    """The collector's settings, and the buckets of who sends."""

    sites: Sites
    limits: Limits
    gpc: Gpc
    by_address: TokenBuckets
    by_site: TokenBuckets

    def judge(self, received: Received, request: Request, now: float) -> Judged:
        """Decide about each event. `now` is an instant in seconds, of a clock that only goes forward."""
        if is_opted_out(request.headers.get("cookie", "")):
            return _all_refused(received, Mistake(Refused.OPTED_OUT, "", "this browser opted out"))
        owner = self.sites.with_key(received.key)
        shown = owner or self.sites.with_write_key(received.key)
        if received.key and shown is None and not self.sites.are_open:
            return _all_refused(received, Mistake(Refused.WRONG_KEY, "", "no site has this key"))
        if owner is None:
            wait = self.by_address.take(request.address, len(received.events), now)
            if wait:
                return _all_refused(received, Mistake(Refused.RATE_LIMITED, "", "this address sends too much"), wait)
        clicks: list[Click] = []
        identities: list[str | None] = []
        refused: list[tuple[int, Mistake]] = []
        longest_wait = 0.0
        for place, fields in enumerate(received.events):
            judged = self._judge_one(fields, owner, shown, request, now)
            if isinstance(judged, Mistake):
                refused.append((place, judged))
            elif isinstance(judged, _Wait):
                refused.append((place, Mistake(Refused.RATE_LIMITED, "site", "the site receives too much")))
                longest_wait = max(longest_wait, judged.seconds)
            else:
                click, identity = judged
                if received.hides_address:
                    click.ip = None
                clicks.append(click)
                identities.append(identity)
        return Judged(clicks, identities, refused, longest_wait)

    def sender_of(self, received: Received) -> str:
        """The site whose server shows its key; STRANGERS without one."""
        owner = self.sites.with_key(received.key)
        return STRANGERS if owner is None else owner.name

    def may_keep(self, request: Request) -> bool:
        """Whether a malformed request may be kept. Its site is unknown: one that drops signals may be meant."""
        return request.privacy_signal is None or not self.sites.may_drop(self.gpc)

    def _judge_one(
        self, fields: Fields | Mistake, owner: Site | None, shown: Site | None, request: Request, now: float
    ) -> "tuple[Click, str | None] | Mistake | _Wait":
        """Only the owner, who has the site's key, says whose click it is; a site may accept user ids from everybody.

        `shown` is the site of the request's key, also if that is the one for pages.
        """
        if isinstance(fields, Mistake):
            return fields
        if isinstance(fields.get("site"), tuple):
            fields = self._with_one_site(fields)
        click = click_of(fields, request.arrived_ms, self.limits)
        if isinstance(click, Mistake):
            return click
        site = owner or self._site_of(click, shown, request)
        if isinstance(site, Mistake):
            return site
        if owner is None:
            click.ip = click.userAgent = None
            if site is None or not site.user_ids:
                click.userId = ""
        if site is not None:
            click.site = site.name
            wait = self.by_site.take(site.name, 1, now, site.events_per_second)
            if wait:
                return _Wait(wait)
        return self._identified(click, site, request, is_server=owner is not None and not _is_page(request))

    def _with_one_site(self, fields: Fields) -> Fields:
        """Of several sites that the fields name the first that is known, else the first."""
        names = fields["site"]
        known = (name for name in names if self.sites.named(site_name(name)) is not None)
        return {**fields, "site": next(known, names[0] if names else None)}

    def _site_of(self, click: Click, shown: Site | None, request: Request) -> Site | Mistake | None:
        name = click.site or site_name(click.url or "") or site_name(request.origin)
        site = shown or self.sites.named(name)
        if site is None:
            if self.sites.are_open:
                return None
            return Mistake(Refused.UNKNOWN_SITE, "site", f"{name or 'no site'} is not in SITES_FILE")
        if not self.sites.are_open and request.origin and not site.allows_origin(request.origin):
            return Mistake(Refused.FOREIGN_ORIGIN, "", f"pages of {request.origin:.200} may not send for {site.name}")
        return site

    def _identified(
        self, click: Click, site: Site | None, request: Request, *, is_server: bool
    ) -> tuple[Click, str | None] | Mistake:
        """A server's own address and user agent, which would make its clicks a bot's, say nothing about the visitor."""
        address = click.ip or request.address
        user_agent = click.userAgent or (None if is_server else request.user_agent)
        if not is_server:
            click.ip = address
        if user_agent is not None:
            click.userAgent = shortened(user_agent, self.limits.user_agent_bytes)
        signal = request.privacy_signal
        gpc = gpc_of(site, self.gpc)
        if signal and gpc == "drop":
            return Mistake(Refused.PRIVACY_SIGNAL, "", "the browser asks not to be counted")
        name = site.name if site is not None else click.site
        if signal and gpc == "anonymous":
            click.userId = ""
            return click, anonymous_identity_of(address, user_agent, name, click.timestamp)
        if click.userId:
            return click, None
        return click, identity_of(address, user_agent, name)


class _Wait(NamedTuple):
    seconds: float


def _is_page(request: Request) -> bool:
    """Whether a browser sent it."""
    return bool(request.origin) or "sec-fetch-site" in request.headers  # Node sends sec-fetch-mode too


def is_opted_out(cookies: str) -> bool:
    """Whether a Cookie header has the opt-out."""
    return OPT_OUT_COOKIE in cookies and any(cookie.strip() == f"{OPT_OUT_COOKIE}=1" for cookie in cookies.split(";"))


def _all_refused(received: Received, mistake: Mistake, wait: float = 0.0) -> Judged:
    return Judged((), (), [(place, mistake) for place in range(len(received.events))], wait)
