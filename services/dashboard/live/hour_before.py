"""What the marks of a ranking compare it with. Pure."""

from services.dashboard.kit.cards.marks import Before
from services.dashboard.kit.cards.ranking import Hour
from services.dashboard.kit.previous_period import is_covered
from shared.events.time_units import HOUR_SECONDS
from shared.rollups.contract import Snapshot


def of(snapshot: Snapshot, attribute: str, counted: str) -> Hour:
    """The totals of the hour and of the one before, which is withheld until all of it is known."""
    windows, has_shares = snapshot.windows, counted in {"views", "events"}
    total = windows.views.get("1h", 0) if has_shares else 0
    before = windows.previous.get(attribute)
    if not before or not is_covered(snapshot.meta, windows, 2 * HOUR_SECONDS):
        return Hour(total=total)
    total_before = windows.views.get("1h:prev", 0) if has_shares else 0
    return Hour(before=Before(before, total_before), total=total)
