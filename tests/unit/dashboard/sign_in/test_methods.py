"""Where a request stands by its cookies: sessions, shared links, and the claims of a provider."""

import hashlib
import json
from typing import Any, Final

import argon2
import msgspec
import pytest
from itsdangerous import TimestampSigner, URLSafeTimedSerializer
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value

from services.dashboard.sign_in import passwords as module
from services.dashboard.sign_in.access import Access, header_of, read_header
from services.dashboard.sign_in.by_provider import Admitted, ByProvider, admitted, read_users
from services.dashboard.sign_in.methods import SESSION_COOKIE, SHARE_COOKIE, ByPassword, BySharedLink, Either
from services.dashboard.sign_in.passwords import Passwords, hashed
from services.dashboard.sign_in.standings import NOBODY, Expired, Refused, SignedIn
from services.dashboard.sign_in.tokens import Session, Share, Signer
from shared.runtime.site_prefixes import SitePrefix

NOW: Final = 1_800_000_000
SIGNER: Final = Signer(b"k" * 32)
USERS: Final = Admitted(frozenset({"ada@shop.example"}), frozenset({"@shop.example", "@partner.example"}))


@pytest.fixture
def by_password(monkeypatch: pytest.MonkeyPatch) -> ByPassword:
    monkeypatch.setattr(module, "_hasher", argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    return ByPassword(SIGNER, Passwords({"viewer": hashed("a"), "analyst": hashed("b")}), hours=2)


def test_a_session_lasts_for_its_hours(by_password: ByPassword) -> None:
    cookie, session = by_password.start("viewer", NOW)
    cookies = {SESSION_COOKIE: cookie}
    until_s = NOW + 7_200
    signed_in = SignedIn(Access(role="viewer", until_s=until_s), until_s, f"session {session.id}")
    assert by_password.standing(cookies, NOW) == signed_in
    assert by_password.standing(cookies, until_s - 1) == signed_in
    assert by_password.standing(cookies, until_s) == Expired()


def test_two_sessions_have_different_ids(by_password: ByPassword) -> None:
    assert by_password.start("viewer", NOW)[1].id != by_password.start("viewer", NOW)[1].id


def test_a_changed_password_ends_its_sessions(by_password: ByPassword) -> None:
    cookies = {SESSION_COOKIE: by_password.start("viewer", NOW)[0]}
    changed = ByPassword(SIGNER, Passwords({"viewer": hashed("new"), "analyst": hashed("b")}), hours=2)
    removed = ByPassword(SIGNER, Passwords({"analyst": hashed("b")}), hours=2)
    assert changed.standing(cookies, NOW) == removed.standing(cookies, NOW) == Expired()


def test_a_shared_link_is_no_session_and_a_session_no_link(by_password: ByPassword) -> None:
    either = Either(by_password, BySharedLink(SIGNER))
    session, link = by_password.start("analyst", NOW)[0], BySharedLink(SIGNER).link("", 1, NOW)
    assert either.standing({SESSION_COOKIE: link, SHARE_COOKIE: session}, NOW) == NOBODY


def test_a_shared_link_opens_one_page_as_a_viewer_until_it_ends() -> None:
    shared = BySharedLink(SIGNER)
    token = shared.link("explore", 0.5, NOW)
    found = shared.standing({SHARE_COOKIE: token}, NOW + 1_799)
    assert isinstance(found, SignedIn)
    assert found.access == Access(role="viewer", page="explore", until_s=NOW + 1_800)
    assert [found.access.may_see(page) for page in ("", "explore", "operations")] == [False, True, False]
    assert shared.standing({SHARE_COOKIE: token}, NOW + 1_800) == Expired(is_shared=True)
    assert BySharedLink(Signer(b"new" * 32)).standing({SHARE_COOKIE: token}, NOW) == NOBODY
    assert shared.standing_of(SIGNER.sign(Share("nowhere", NOW + 9)), NOW) == NOBODY


def test_a_shared_link_opens_the_site_that_it_was_made_for() -> None:
    shared = BySharedLink(SIGNER)
    sites = (SitePrefix("All sites", ""), SitePrefix("Köln, Mitte", "koeln:"))
    for of, opened in (("", sites[:1]), ("All sites", sites[:1]), ("Köln, Mitte", sites[1:]), ("Bonn", ())):
        found = shared.standing_of(shared.link("", 1, NOW, of), NOW)
        assert isinstance(found, SignedIn)
        access = read_header(header_of(found.access))  # as it reaches the app
        assert access is not None
        assert access.sites(sites) == opened
    session = Access(role="viewer")
    assert session.sites(sites) == sites


def test_a_link_of_the_release_before_opens_the_first_site() -> None:
    before = SIGNER.sign(Share("", NOW + 9))
    assert "of" not in msgspec.to_builtins(Share("", NOW + 9))
    found = BySharedLink(SIGNER).standing_of(before, NOW)
    assert isinstance(found, SignedIn)
    assert found.access.of == ""


def test_the_better_of_a_sign_in_and_a_link_counts(by_password: ByPassword) -> None:
    either = Either(by_password, BySharedLink(SIGNER))
    session, link = by_password.start("analyst", NOW)[0], BySharedLink(SIGNER).link("", 3, NOW)

    def page(now_s: int, **cookies: str) -> object:
        found = either.standing(cookies, now_s)
        return (found.access.role, found.access.page) if isinstance(found, SignedIn) else found

    both = {SESSION_COOKIE: session, SHARE_COOKIE: link}
    assert page(NOW, **both) == ("analyst", None)
    assert page(NOW + 7_200, **both) == ("viewer", "")
    assert page(NOW + 99_999, **both) == Expired()
    assert page(NOW + 99_999, **{SHARE_COOKIE: link}) == Expired(is_shared=True)
    assert page(NOW) == NOBODY


def claims(**changed: Any) -> dict[str, Any]:
    return {"email": "ada@shop.example", "email_verified": True, "nonce": "n", "is_logged_in": True, **changed}


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({}, ("analyst", "ada@shop.example")),
        ({"email": "ADA@Shop.Example"}, ("analyst", "ada@shop.example")),
        ({"email_verified": "true"}, ("analyst", "ada@shop.example")),
        ({"email": "bob@shop.example"}, ("viewer", "bob@shop.example")),
        ({"email_verified": False}, "has not verified"),
        ({"email_verified": None}, "has not verified"),
        ({"email_verified": 1.5}, "has not verified"),
        ({"email": "bob@evil.example"}, "not among"),
        ({"email": "bob@shop.example.evil.example"}, "not among"),
        ({"email": "@shop.example@evil.example"}, "not among"),
        ({"email": "bob@sub.shop.example"}, "not among"),
        ({"email": "bob@\N{KELVIN SIGN}.example"}, "no e-mail"),
        ({"email": "ada@shop.example\n"}, "no e-mail"),
        ({"email": None}, "no e-mail"),
        ({"email": ["ada@shop.example"]}, "no e-mail"),
        ({"email": "a" * 300 + "@shop.example"}, "no e-mail"),
    ],
)
def test_who_is_admitted(changed: dict[str, Any], found: object) -> None:
    answer = admitted(claims(**changed), USERS)
    assert found == answer if isinstance(found, tuple) else str(found) in str(answer)


def test_an_address_of_its_own_comes_before_its_domain() -> None:
    users = Admitted(analysts=frozenset({"@shop.example"}), viewers=frozenset({"vic@shop.example"}))
    assert [users.role_of("vic@shop.example"), users.role_of("bob@shop.example")] == ["viewer", "analyst"]


def cookie(value: object, *, age_s: int = 0, secret: str = "s" * 64, name: str = "_streamlit_user") -> dict[str, str]:
    """Streamlit's cookie, made `age_s` ago."""

    class Aged(TimestampSigner):
        def get_timestamp(self) -> int:
            return NOW - age_s

    return {name: str(URLSafeTimedSerializer(secret, salt=name, signer=Aged).dumps(json.dumps(value)))}


BY_PROVIDER: Final = ByProvider("s" * 64, USERS, hours=1)


def test_the_providers_answer_signs_in_for_the_hours() -> None:
    found = BY_PROVIDER.standing(cookie(claims()), NOW)
    key = f"provider {hashlib.sha256(json.dumps(claims()).encode()).hexdigest()}"
    access = Access(role="analyst", name="ada@shop.example", until_s=NOW + 3_600)
    assert found == SignedIn(access, NOW + 3_600, key)
    assert BY_PROVIDER.standing(cookie(claims(), age_s=3_600), NOW) == Expired()


def test_streamlit_signs_the_cookie_like_this() -> None:
    signed = create_signed_value("s" * 64, "_streamlit_user", json.dumps(claims())).decode()
    assert isinstance(BY_PROVIDER.standing({"_streamlit_user": signed}, NOW), SignedIn | Expired)


def test_someone_who_is_not_admitted_is_refused() -> None:
    assert isinstance(BY_PROVIDER.standing(cookie(claims(email="x@evil.example")), NOW), Refused)


@pytest.mark.parametrize(
    "cookies",
    [
        {},
        cookie(claims(), secret="t" * 64),
        cookie(claims(is_logged_in=False)),
        cookie("text"),
        cookie(None),
        {"_streamlit_user": cookie(claims(), name="_streamlit_session")["_streamlit_session"]},
        {"_streamlit_user": "é"},
    ],
)
def test_other_cookies_are_nobody(cookies: dict[str, str]) -> None:
    assert BY_PROVIDER.standing(cookies, NOW) == NOBODY


def test_users_are_addresses_or_domains() -> None:
    assert read_users(" Ada@Shop.Example, @partner.example ,") == {"ada@shop.example", "@partner.example"}
    for text in ("ada", "ada@", "a@b@c", "a b@c", "ä@b"):
        with pytest.raises(ValueError, match="expected e-mail"):
            read_users(text)


def test_a_session_of_another_key_is_nobody(by_password: ByPassword) -> None:
    forged = Signer(b"f" * 32).sign(Session("id", "analyst", NOW + 99, by_password.passwords.stamp("analyst") or ""))
    assert by_password.standing({SESSION_COOKIE: forged}, NOW) == NOBODY
