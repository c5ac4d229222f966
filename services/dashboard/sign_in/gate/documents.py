"""The HTML of signing in and out: plain pages that work without JavaScript, light or dark as the browser asks. Pure."""

import base64
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from services.dashboard.kit import theme
from services.dashboard.kit.escaping import exactly_in_html, in_html
from services.dashboard.sign_in.access import Access
from services.dashboard.sign_in.pages import TITLES, relative

SIGN_IN: Final = "sign-in"
SIGN_OUT: Final = "sign-out"
NEXT, FORM, PASSWORD, START = "next", "form", "password", "start"
"""Names of fields and parameters."""

EXPIRED: Final = "Your sign-in has ended."
LINK_EXPIRED: Final = "This link has ended. Ask for a new one, or sign in."
SIGNED_OUT: Final = "You are signed out."
NOT_SIGNED_IN: Final = "The provider did not sign you in. Try again."
NO_ANSWER: Final = "The provider does not answer. Try again in a moment."
NOTES: Final = {"expired": EXPIRED, "link-ended": LINK_EXPIRED, "signed-out": SIGNED_OUT, "failed": NOT_SIGNED_IN}
"""What the sign-in page says first, by the parameter in its address."""

_BRAND: Final = '<div class="brand"><span class="mark" aria-hidden="true"><i></i><i></i><i></i></span>Clickpulse</div>'
_FAVICON: Final = base64.b64encode(Path(__file__).parents[2].joinpath("favicon.svg").read_bytes()).decode()
_STYLE: Final = (
    theme.variables(theme.LIGHT)
    + f"@media(prefers-color-scheme:dark){{{theme.variables(theme.DARK)}}}"
    + theme.stylesheet(Path(__file__).with_name("sign_in.css"))
)


def sign_in_address(next_page: str, note: str = "") -> str:
    """The sign-in page, which leads on to `next_page`; relative to any page."""
    parameters = {**({note: ""} if note else {}), **({NEXT: next_page} if next_page else {})}
    return f"{SIGN_IN}?{urlencode(parameters)}" if parameters else SIGN_IN


def _document(title: str, body: str, head: str = "") -> str:
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{title} · Clickpulse</title><link rel="icon" href="data:image/svg+xml;base64,{_FAVICON}">{head}'
        f"<style>{_STYLE}</style></head><body><main>{_BRAND}<h1>{title}</h1>{body}</main></body></html>"
    )


def password_form(next_page: str, token: str, *, note: str = "", problem: str = "") -> str:
    """The page that asks for the password."""
    return _document(
        "Sign in",
        f'{_said(note, problem)}<form method="post" action="{SIGN_IN}">'
        f'<input type="hidden" name="{FORM}" value="{exactly_in_html(token)}">'
        f'<input type="hidden" name="{NEXT}" value="{exactly_in_html(next_page)}">'
        f'<label for="password">Password</label><input id="password" name="{PASSWORD}" type="password" required '
        'autofocus autocomplete="current-password"><button>Sign in</button></form>',
    )


def provider_link(start_query: str, *, note: str = "") -> str:
    """The page that leads to the provider.

    A link, because a form that ends at another site needs a weaker Content-Security-Policy.
    """
    return _document(
        "Sign in",
        _said(note or "This dashboard asks your organisation's sign-in who you are.")
        + f'<a class="button" href="{SIGN_IN}?{exactly_in_html(start_query)}">Sign in</a>',
    )


def account(access: Access, token: str) -> str:
    """The page that says who is signed in, and signs out."""
    until = "" if access.until_s is None else f" until {_time(access.until_s)}"
    if access.page is not None:
        about = f"A shared link opens the page {TITLES[access.page]} for you{until}."
    else:
        name = f" as {in_html(access.name, 254)}" if access.name else ""
        about = f"You are signed in{name} with the role {access.role}{until}."
    back = f'<a class="back" href="{exactly_in_html(relative(access.page or ""))}">Back to the dashboard</a>'
    return _document("Your sign-in", f"<p>{about}</p>{_sign_out_form(token)}{back}")


def refused(reason: str, token: str) -> str:
    """The page for someone whom the provider knows and the dashboard does not admit."""
    return _document(
        "No access",
        f"{_said('', reason)}<p>Ask the operator of this dashboard to admit you, or sign in as someone else.</p>"
        f"{_sign_out_form(token, 'Sign in as someone else')}",
    )


def account_of(access: Access) -> str:
    """The link to that page in the top bar of the dashboard."""
    who = f"Signed in as {access.name or access.role}"
    label, about = ("Shared link", "Opens this page only") if access.page is not None else ("Sign out", who)
    return f'<a class="account" href="{SIGN_OUT}" target="_self" title="{in_html(about, 300)}">{label}</a>'


def sign_out(token: str, problem: str) -> str:
    """The page that asks again to sign out."""
    return _document("Sign out", _said("", problem) + _sign_out_form(token))


def other_page(access: Access) -> str:
    """The page in place of one that a shared link does not open."""
    page = access.page or ""
    return _document(
        "Not shared",
        f"<p>The link that you opened shows the page {TITLES[page]} only.</p>"
        f'<a class="button" href="{exactly_in_html(relative(page))}">{TITLES[page]}</a>'
        f'<a class="back" href="{SIGN_IN}">Sign in</a>',
    )


def leaving(provider_url: str) -> str:
    """The page after signing out here, which leads on to the provider's."""
    shown = exactly_in_html(provider_url)
    return _document(
        "Signed out",
        f'{_said(SIGNED_OUT)}<a class="button" href="{shown}">Sign out of the provider too</a>'
        f'<a class="back" href="{SIGN_IN}">Sign in again</a>',
    )


def message(title: str, text: str) -> str:
    """A short page with one sentence and the way to sign in."""
    return _document(title, f'<p>{in_html(text, 300)}</p><a class="button" href="{SIGN_IN}">Sign in</a>')


def _sign_out_form(token: str, label: str = "Sign out") -> str:
    return (
        f'<form method="post" action="{SIGN_OUT}"><input type="hidden" name="{FORM}" value="{exactly_in_html(token)}">'
        f"<button>{label}</button></form>"
    )


def _said(note: str, problem: str = "") -> str:
    noted = f'<p role="status">{in_html(note, 300)}</p>' if note else ""
    return noted + (f'<p class="problem" role="alert">{in_html(problem, 300)}</p>' if problem else "")


def _time(at_s: int) -> str:
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%d %H:%M} UTC"
