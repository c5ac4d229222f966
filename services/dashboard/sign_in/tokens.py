"""Signed tokens: sessions, shared links and forms. Pure; times are epoch seconds.

A token is signed for one purpose, so a shared link is no session. It holds its own end, which the signature covers.
"""

import hashlib
from typing import Final, TypeVar

import msgspec
from itsdangerous import BadData, URLSafeSerializer

from services.dashboard.sign_in.access import Role

_LONGEST: Final = 2_000


class Session(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A sign-in with a password. `stamp` is of the password's hash: a changed password ends its sessions."""

    id: str
    role: Role
    until_s: int
    stamp: str


class Share(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A link to one page, of the site with the label `of`, or of the first one."""

    page: str
    until_s: int
    of: str = ""


class Form(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A form that was sent to the browser with this value in a cookie."""

    cookie: str
    until_s: int


Token = Session | Share | Form
TokenType = TypeVar("TokenType", Session, Share, Form)


class Signer:
    """Signs and reads tokens with one key."""

    def __init__(self, key: bytes) -> None:
        # The purpose is the salt, so that each purpose has a key of its own.
        options = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
        self._serializers: dict[type[Token], URLSafeSerializer] = {
            purpose: URLSafeSerializer(key, salt=f"clickpulse {purpose.__name__}", signer_kwargs=options)
            for purpose in (Session, Share, Form)
        }

    def sign(self, token: Token) -> str:
        """The token as text for cookies and addresses."""
        signed: str = self._serializers[type(token)].dumps(msgspec.to_builtins(token))
        return signed

    def read(self, purpose: type[TokenType], text: str | None) -> TokenType | None:
        """The token, whether or not it has ended; None for anything that this key did not sign for the purpose."""
        if not text or len(text) > _LONGEST:
            return None
        try:
            return msgspec.convert(self._serializers[purpose].loads(text), purpose)
        except (BadData, msgspec.ValidationError):
            return None
