"""What a person may see, and how the gate tells the app. Pure.

The gate writes the access into a header of the WebSocket's handshake, after it removed any header of that name.
Streamlit copies it into `st.user` (`server.trustedUserHeaders`), and refuses to resume a session under another access.
"""

from typing import Final, Literal
from urllib.parse import unquote

import msgspec

from shared.runtime.site_prefixes import SitePrefix

Role = Literal["viewer", "analyst"]

ROLES: Final[tuple[Role, ...]] = ("viewer", "analyst")
"""From the fewest rights to the most. A viewer sees no visitor ids, addresses or single events."""

SITE: Final = "of"
"""The parameter of an address with the label of a site. Explore's filter has the name of its column, `site`."""

HEADER: Final = "x-clickpulse-access"
USER_KEY: Final = "access"
"""The header's name, and the key in `st.user` under which Streamlit keeps its value."""


class Access(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A role; the only page, for a shared link; a name to show; and when the access ends (epoch seconds).

    A shared link opens one of the sites of DASHBOARD_SITES: that with the label `of`, percent-encoded, or the first.
    """

    role: Role
    page: str | None = None
    of: str = ""
    name: str = ""
    until_s: int | None = None

    def may_see(self, page: str) -> bool:
        """Whether the page at this path, "" for Live, is open to it."""
        return self.page is None or self.page == page

    def sites(self, configured: tuple[SitePrefix, ...]) -> tuple[SitePrefix, ...]:
        """Those whose numbers are open to it; for a shared link one, or none if that is no longer configured."""
        if self.page is None:
            return configured
        label = unquote(self.of) or configured[0].label
        return tuple(site for site in configured if site.label == label)


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
