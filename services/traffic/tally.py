"""Counts the lines of a replay: each is sent, refused with a reason, or blank."""

from collections import Counter
from dataclasses import dataclass, field

from shared.events.refusals import Reason, Refusal


@dataclass(slots=True)
class Tally:
    """Line counts of a running replay. A CSV row counts once, even when it spans several lines."""

    read: int = 0  # without blank lines and the header
    blank: int = 0
    refused: Counter[Reason] = field(default_factory=Counter)
    examples: dict[Reason, tuple[int, str]] = field(default_factory=dict)  # per reason, the first line and its error

    def refuse(self, line: int, refusal: Refusal) -> None:
        """Count a refused line."""
        self.refused[refusal.reason] += 1
        self.examples.setdefault(refusal.reason, (line, refusal.error))

    @property
    def refused_total(self) -> int:
        """Refused lines, all reasons together."""
        return self.refused.total()

    def summary(self, sent: int, unsent: int, seconds: float) -> str:
        """The summary to print. `unsent` events were read but not accepted by the log before the stop."""
        per_second = sent / seconds if seconds > 0 else 0
        rows = [("read", self.read, ""), ("sent", sent, ""), ("refused", self.refused_total, "")]
        for reason, count in self.refused.most_common():
            line, error = self.examples[reason]
            rows.append((f"  {reason}", count, f"e.g. line {line}: {error:.160}"))
        if unsent:
            rows.append(("not sent", unsent, "stopped while the log was unreachable"))
        rows.append(("blank", self.blank, ""))
        lines = [f"{name:<18}{count:>14,}  {note}".rstrip() for name, count, note in rows]
        return "\n".join([*lines, f"{'seconds':<18}{seconds:>14,.1f}", f"{'events/s':<18}{per_second:>14,.0f}"])
