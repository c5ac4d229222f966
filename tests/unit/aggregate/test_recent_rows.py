"""The codes in use, cached by minute, compared with a scan of every row."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.aggregate.columns.batch import NONE, ROW, seconds_of
from services.aggregate.engine.recent_rows import RecentRows

CODES = 8
ROWS = st.lists(st.tuples(st.integers(0, 5), st.integers(NONE, CODES - 1)), min_size=1, max_size=6)  # minute, code
CHANGES = st.lists(st.sampled_from(["add", "add", "drop", "none"]), max_size=12)


@given(changes=CHANGES, data=st.data())
def test_codes_in_use_equal_those_of_the_rows_after_any_changes(changes: list[str], data: st.DataObject) -> None:
    recent = RecentRows()
    for change in changes:
        if change == "add":
            minutes, codes = zip(*data.draw(ROWS), strict=True)
            rows = np.zeros(len(codes), ROW)
            rows["timestamp"], rows["page"] = np.array(minutes) * 60_000, codes
            recent.add(rows, seconds_of(rows))
        elif change == "drop":
            recent.drop_before(data.draw(st.integers(0, 6)))
        expected = {code for minute in recent.minutes() for code in recent.minute(minute)["page"].tolist()} - {NONE}
        assert set(np.flatnonzero(recent.codes_in_use("page", CODES)).tolist()) == expected
