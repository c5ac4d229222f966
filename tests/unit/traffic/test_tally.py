"""The summary of a replay."""

import pytest

from services.traffic.formats.entries import Skip, SkipReason
from services.traffic.tally import Tally
from shared.events.refusals import Reason, Refusal


def test_the_summary_says_what_was_skipped_and_why() -> None:
    tally = Tally(read=1)
    tally.skip(7, Skip(SkipReason.ASSET, "/logo.png"))
    tally.skip(8, Skip(SkipReason.NOT_GET, "POST /cart"))
    tally.skip(9, Skip(SkipReason.NOT_GET, "-"))
    tally.refuse(11, Refusal(Reason.UNREADABLE_LINE, "garbage"))
    rows = [" ".join(row.split()) for row in tally.summary(1, 0, 1.0).splitlines()]
    assert rows[:7] == [
        "read 5",
        "sent 1",
        "skipped 3 --all sends these, too",
        "not GET 2 e.g. line 8: POST /cart",
        "asset 1 e.g. line 7: /logo.png",
        "refused 1",
        "unreadable_line 1 e.g. line 11: garbage",
    ]


@pytest.mark.parametrize(("without", "warns"), [(5, False), (6, True)])
def test_the_summary_warns_when_most_events_have_no_address(without: int, warns: bool) -> None:
    summary = Tally(read=10, without_address=without).summary(10, 0, 1.0)
    assert ("have no client address" in summary) is warns
