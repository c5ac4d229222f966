"""Signed tokens: what reads back, and what does not."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.dashboard.sign_in.tokens import Form, Session, Share, Signer

SIGNER: Final = Signer(b"k" * 32)
SESSION: Final = Session("id", "viewer", 1_000, "stamp")


def test_a_token_reads_back() -> None:
    assert SIGNER.read(Session, SIGNER.sign(SESSION)) == SESSION
    assert SIGNER.read(Share, SIGNER.sign(Share("explore", 7))) == Share("explore", 7)


def test_a_token_serves_one_purpose() -> None:
    signed = [SIGNER.sign(token) for token in (SESSION, Share("", 1), Form("c", 1))]
    readable = [
        [found is not None for found in (SIGNER.read(Session, text), SIGNER.read(Share, text), SIGNER.read(Form, text))]
        for text in signed
    ]
    assert readable == [[True, False, False], [False, True, False], [False, False, True]]


def test_another_key_signs_nothing_here() -> None:
    assert Signer(b"l" * 32).read(Session, SIGNER.sign(SESSION)) is None


@pytest.mark.parametrize("text", [None, "", ".", "a.b", "a" * 5_000, "é.é", '{"role":"analyst"}', "\0"])
def test_other_text_is_no_token(text: str | None) -> None:
    assert SIGNER.read(Session, text) is None


@given(place=st.integers(min_value=0, max_value=200), sign=st.characters(codec="ascii"))
def test_no_changed_letter_changes_what_is_read(place: int, sign: str) -> None:
    text = SIGNER.sign(SESSION)
    changed = text[: place % len(text)] + sign + text[place % len(text) + 1 :]
    # The last letter of base64 has bits without a meaning, so the text may differ where the token does not.
    assert SIGNER.read(Session, changed) in (None, SESSION)


def test_the_role_cannot_be_raised_with_the_signature_of_a_lesser_one() -> None:
    higher = Signer(b"x").sign(Session("id", "analyst", 1_000, "stamp")).rpartition(".")[0]
    signature = SIGNER.sign(SESSION).rpartition(".")[2]
    assert SIGNER.read(Session, f"{higher}.{signature}") is None
