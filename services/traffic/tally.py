"""Counts the entries of a replay: each is sent, skipped or refused with a reason, or blank."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from services.traffic.ages import Uncounted
from services.traffic.formats.entries import Skip, SkipReason
from shared.events.refusals import Reason, Refusal

_EXAMPLE_CHARACTERS = 160


@dataclass(slots=True)
class Tally:
    """Counts of a running replay: `read = sent + skipped + refused`. A CSV row counts once, however many lines it has.

    An example is the first line of a reason and what it says.
    """

    read: int = 0  # without blank lines and the header
    blank: int = 0
    without_address: int = 0  # of those sent
    skipped: Counter[SkipReason] = field(default_factory=Counter)
    refused: Counter[Reason] = field(default_factory=Counter)
    skip_examples: dict[SkipReason, tuple[int, str]] = field(default_factory=dict)
    examples: dict[Reason, tuple[int, str]] = field(default_factory=dict)
    uncounted: Counter[Uncounted] = field(default_factory=Counter)  # events to send that no figure will show
    notes: Counter[str] = field(default_factory=Counter)  # what was read in another way than written
    advice: Mapping[Uncounted, str] = field(default_factory=dict)

    def skip(self, line: int, skip: Skip) -> None:
        """Count an entry that is left out on purpose."""
        self.read += 1
        self.skipped[skip.reason] += 1
        self.skip_examples.setdefault(skip.reason, (line, skip.about))

    def refuse(self, line: int, refusal: Refusal) -> None:
        """Count an entry that cannot be read."""
        self.read += 1
        self.refused[refusal.reason] += 1
        self.examples.setdefault(refusal.reason, (line, refusal.error))

    @property
    def skipped_total(self) -> int:
        """Skipped entries, all reasons together."""
        return self.skipped.total()

    @property
    def refused_total(self) -> int:
        """Refused entries, all reasons together."""
        return self.refused.total()

    def summary(self, sent: int, unsent: int, seconds: float) -> str:
        """The summary to print. `unsent` events were read but not accepted by the log before the stop."""
        per_second = sent / seconds if seconds > 0 else 0
        rows = [
            ("read", self.read, ""),
            ("sent", sent, ""),
            *((f"  {why}", count, self.advice.get(why, "")) for why, count in self.uncounted.most_common()),
            ("skipped", self.skipped_total, "--all sends these, too" if self.skipped_total else ""),
            *_by_reason(self.skipped, self.skip_examples),
            ("refused", self.refused_total, ""),
            *_by_reason(self.refused, self.examples),
        ]
        if unsent:
            rows.append(("not sent", unsent, "stopped while the log was unreachable"))
        rows.append(("blank", self.blank, ""))
        rows += [("note", count, what) for what, count in self.notes.items()]
        lines = [f"{name:<22}{count:>14,}  {note}".rstrip() for name, count, note in rows]
        lines += [f"{'seconds':<22}{seconds:>14,.1f}", f"{'events/s':<22}{per_second:>14,.0f}"]
        return "\n".join([*lines, *self._warnings(sent + unsent)])

    def _warnings(self, events: int) -> Iterator[str]:
        if 2 * self.without_address > events:
            yield (
                f"warning: {self.without_address:,} of {events:,} events have no client address, so their country is"
                " Unknown"
            )


def _by_reason(
    counts: Mapping[SkipReason, int] | Mapping[Reason, int],
    examples: Mapping[SkipReason, tuple[int, str]] | Mapping[Reason, tuple[int, str]],
) -> Iterator[tuple[str, int, str]]:
    """A row for each reason, the most frequent first."""
    by_name = {str(reason): example for reason, example in examples.items()}
    for reason, count in sorted(counts.items(), key=lambda row: -row[1]):
        line, words = by_name[reason]
        yield f"  {reason}", count, f"e.g. line {line}: {words:.{_EXAMPLE_CHARACTERS}}"
