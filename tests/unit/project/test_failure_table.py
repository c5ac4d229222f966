"""Every row of the failure table is either re-run by `tests.faults.failure_table`, or has a reason why not."""

from pathlib import Path

from tests.faults.failure_table import NOT_RERUN, ROWS, rows_of

DOCUMENT = Path(__file__).parents[3] / "docs" / "operations.md"


def test_each_row_of_the_failure_table_is_rerun_or_has_a_reason() -> None:
    assert sorted(rows_of(DOCUMENT.read_text("utf-8"))) == sorted([*ROWS, *NOT_RERUN])
