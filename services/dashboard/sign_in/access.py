"""What a person may see, and how the gate tells the app. Pure.

The gate writes the access into a header of the WebSocket's handshake, after it removed any header of that name.
Streamlit copies it into `st.user` (`server.trustedUserHeaders`), and refuses to resume a session under another access.
"""

from typing import Final, Literal

import msgspec

Role = Literal["viewer", "analyst"]

ROLES: Final[tuple[Role, ...]] = ("viewer", "analyst")
"""From the fewest rights to the most. A viewer sees no visitor ids, addresses or single events."""

HEADER: Final = "x-clickpulse-access"
USER_KEY: Final = "access"
"""The header's name, and the key in `st.user` under which Streamlit keeps its value."""


class Access(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A role; the only page, for a shared link; a name to show; and when the access ends (epoch seconds)."""

    role: Role
    page: str | None = None
    name: str = ""
    until_s: int | None = None

    def may_see(self, page: str) -> bool:
        """Whether the page at this path, "" for Live, is open to it."""
        return self.page is None or self.page == page


EVERYTHING: Final = Access(role="analyst")
"""What everyone has without sign-in."""


def header_of(access: Access) -> str:
    """The header's value. Names are ASCII, so it is too."""
    return msgspec.json.encode(access).decode("ascii")


def read_header(value: object) -> Access | None:
    """The access in a header's value; None for anything else."""
    try:
        return msgspec.json.decode(value, type=Access) if isinstance(value, str) else None
    except msgspec.DecodeError:
        return None
