"""Passwords of the roles."""

from collections.abc import Sequence

import argon2
import pytest

from services.dashboard.sign_in import passwords as module
from services.dashboard.sign_in.access import Role
from services.dashboard.sign_in.passwords import Passwords, hashed, read_passwords
from shared.runtime.configuration import ConfigurationError


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_hasher", argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))


def test_a_password_has_its_role() -> None:
    read = read_passwords(f"# roles\nviewer:{hashed('for viewers')}\n\nanalyst:{hashed('for analysts')}\n", "FILE")
    known = [read.role_of(password) for password in ("for viewers", "for analysts", "for Viewers", "", "x" * 10**6)]
    assert known == ["viewer", "analyst", None, None, None]


def test_one_role_is_enough() -> None:
    read = read_passwords(f"viewer:{hashed('for viewers')}", "FILE")
    assert [read.role_of("for viewers"), read.role_of(""), read.stamp("analyst")] == ["viewer", None, None]


def test_the_same_password_for_both_gives_the_lesser_role() -> None:
    assert Passwords({"analyst": hashed("same"), "viewer": hashed("same")}).role_of("same") == "viewer"


@pytest.mark.parametrize("password", ["right", "wrong", ""])
@pytest.mark.parametrize("roles", [("viewer",), ("analyst",), ("viewer", "analyst")])
def test_every_attempt_checks_as_many_hashes(
    password: str, roles: Sequence[Role], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Passwords({role: hashed("right") for role in roles})
    checked = []

    def verify(digest: str, _password: str) -> bool:
        checked.append(digest)
        return False

    monkeypatch.setattr(module, "_is_of", verify)
    read.role_of(password)
    assert len(set(checked)) == len(checked) == 2


def test_a_changed_password_has_another_stamp() -> None:
    first, second = (Passwords({"viewer": hashed(word)}).stamp("viewer") for word in ("one", "two"))
    assert first != second


@pytest.mark.parametrize(
    "text",
    ["", "\n# nothing\n", "secret words", "viewer:secret words", "admin:{hash}", "viewer:{hash}\nviewer:{hash}",
     "viewer:$argon2i$v=19$m=64,t=1,p=1$c29tZXNhbHQ$aGFzaGhhc2hoYXNo"],
)  # fmt: skip
def test_a_wrong_file_is_named_and_not_quoted(text: str) -> None:
    digest = hashed("secret words")
    with pytest.raises(ConfigurationError, match="FILE") as raised:
        read_passwords(text.replace("{hash}", digest), "FILE")
    assert "secret" not in str(raised.value)
    assert digest not in str(raised.value)
