"""The account of a replay: every line that was read is sent, refused with a reason, or blank."""

from collections import Counter
from dataclasses import dataclass, field

from shared.events.refusals import Reason, Refusal


@dataclass(slots=True)
class Tally:
    """Counts lines while they are replayed. Rows of a CSV count once, however many lines they take."""

    read: int = 0  # without blank lines and a header
    blank: int = 0
    refused: Counter[Reason] = field(default_factory=Counter)
    examples: dict[Reason, tuple[int, str]] = field(default_factory=dict)  # first line of each reason, and its error

    def refuse(self, line: int, refusal: Refusal) -> None:
        """Count a refused line."""
        self.refused[refusal.reason] += 1
        self.examples.setdefault(refusal.reason, (line, refusal.error))

    @property
    def refused_total(self) -> int:
        """Refused lines of all reasons."""
        return self.refused.total()

    def summary(self, sent: int, unsent: int, seconds: float) -> str:
        """The account for people. `unsent` events were read, but not taken by the log before the replay was stopped."""
        per_second = sent / seconds if seconds > 0 else 0
        rows = [("read", self.read, ""), ("sent", sent, ""), ("refused", self.refused_total, "")]
        for reason, count in self.refused.most_common():
            line, error = self.examples[reason]
            rows.append((f"  {reason}", count, f"e.g. line {line}: {error:.160}"))
        if unsent:
            rows.append(("not sent", unsent, "stopped while the log could not be reached"))
        rows.append(("blank", self.blank, ""))
        lines = [f"{name:<18}{count:>14,}  {note}".rstrip() for name, count, note in rows]
        return "\n".join([*lines, f"{'seconds':<18}{seconds:>14,.1f}", f"{'events/s':<18}{per_second:>14,.0f}"])
