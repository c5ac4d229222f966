"""The generated tables of the documents are up to date."""

from shared.rollups.contract import NATIVE_CONTRACT, SEED_CONTRACT
from tools.redis_keys import DOCUMENT, OPERATIONS, with_tables


def test_the_key_tables_are_those_of_the_contract() -> None:
    document = DOCUMENT.read_text("utf-8")
    assert with_tables(document) == document, "docs/redis.md is out of date: run `make docs`"


def test_the_table_of_metrics_is_that_of_the_code() -> None:
    document = OPERATIONS.read_text("utf-8")
    assert with_tables(document) == document, "docs/operations.md is out of date: run `make docs`"


def test_each_key_is_in_a_table() -> None:
    document = DOCUMENT.read_text("utf-8")
    assert [row.key for row in NATIVE_CONTRACT + SEED_CONTRACT if f"| `{row.key}` |" not in document] == []
