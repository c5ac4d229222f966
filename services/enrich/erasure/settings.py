"""Settings of `clickpulse forget` and `clickpulse export`."""

from typing import Literal

from pydantic import Field

from shared.runtime.settings import ServiceSettings


class ErasureSettings(ServiceSettings):
    """The log, Redis, and how enrich and detect are set, so that all ids of a visitor are found."""

    hash_user_id: Literal["off", "daily", "monthly"] = Field(
        default="off", description="As for enrich: whether userIds are replaced by pseudonyms."
    )
    hash_salt: str | None = Field(
        default=None, min_length=16, repr=False, description="As for enrich: the secret that salts are derived from."
    )
    offers_topic: str = Field(default="special-offers", min_length=1, description="As for detect: topic of offers.")

    @property
    def erasure_key(self) -> bytes:
        """The key of the tokens of original ids. Without it, who reads Redis could link a pseudonym to a person."""
        return erasure_key(self.hash_user_id, self.hash_salt)


def erasure_key(hash_user_id: str, hash_salt: str | None) -> bytes:
    """As `ErasureSettings.erasure_key`."""
    return hash_salt.encode() if hash_salt is not None and hash_user_id != "off" else b""
