"""Says when differences seem to come from another GOALS_FILE than that of aggregate. Pure."""

from collections.abc import Iterable, Sequence
from typing import Final

from services.aggregate.proof.differences import NOTHING, Difference
from shared.rollups.contract import AUDIENCE_ROWS, of_audience
from shared.rollups.model import AUDIENCES

_KEYS: Final = {of_audience(AUDIENCE_ROWS["goals"], audience) for audience in AUDIENCES}


def goals_hint(differences: Sequence[Difference]) -> str | None:
    """One line about GOALS_FILE; None where the goals are the same and other figures differ too."""
    own = [found for found in differences if found.key in _KEYS]
    lacking = _goals(found for found in own if found.counted == NOTHING)
    further = _goals(found for found in own if found.redis == NOTHING)
    if lacking or further:
        said = [f"lacks {', '.join(lacking)}"] if lacking else []
        said += [f"has {', '.join(further)}, unlike Redis"] if further else []
        return f"GOALS_FILE {' and '.join(said)}; expected the file that aggregate has read, as its log names it"
    if own and all(":goals" in found.key for found in differences):
        return "only goals differ: is GOALS_FILE the one that aggregate has read?"
    return None


def _goals(differences: Iterable[Difference]) -> list[str]:
    """The goal of each difference, once: their fields are such as `Checkout › visitors › 1h`."""
    return list(dict.fromkeys(found.field.rsplit(" › ", 2)[0] for found in differences))
