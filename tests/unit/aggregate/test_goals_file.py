"""GOALS_FILE: what is read from it, and what a wrong one says."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.aggregate.columns.goals import Goal, Goals, matcher
from services.aggregate.goals_file import parse_goals, read_goals
from shared.rollups.commerce import MOST_GOALS
from shared.runtime.configuration import ConfigurationError

DOCUMENT = Path(__file__).parents[3] / "docs" / "goals.md"
GOAL = '[[goal]]\nname = "Checkout"\n'


def test_the_example_of_the_document_is_read() -> None:
    (example,) = re.findall(r"^```toml\n(.*?)^```$", DOCUMENT.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert parse_goals(example) == Goals(
        (Goal(name="Checkout", page="/checkout/*"), Goal(name="Purchase", event_type="purchase"))
    )


def test_without_a_file_there_are_no_goals() -> None:
    assert len(read_goals(None)) == 0
    assert len(parse_goals("")) == 0


def test_the_order_of_goals_changes_nothing() -> None:
    goals = [Goal(name="B", page="/b"), Goal(name="A", event_type="a")]
    assert Goals(tuple(goals)).checksum == Goals(tuple(goals[::-1])).checksum
    assert Goals(tuple(goals)).checksum != Goals((goals[0],)).checksum


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (GOAL + "page = \n", "(at line 3, column 8)"),
        (GOAL, "goal 1 ('Checkout'): expected either event_type or page, got neither"),
        (GOAL + 'page = "/a"\nevent_type = "b"', "expected either event_type or page, got event_type and page"),
        (GOAL + 'page = "checkout"', "page: expected a path that begins with / or *, got 'checkout'"),
        (GOAL + 'page = ""', "page: expected text of 1 to 512 bytes, got ''"),
        (GOAL + "event_type = 7", "event_type: expected text of 1 to 64 bytes, got 7"),
        (GOAL + f'event_type = "{"x" * 65}"', "event_type: expected text of 1 to 64 bytes"),
        (GOAL + 'url = "/a"', "goal 1 ('Checkout'): expected name and event_type or page, got 'url'"),
        ('[[goal]]\npage = "/a"', "goal 1: name: expected text of 1 to 64 bytes, got None"),
        ('[[goal]]\nname = "\\u0000"\npage = "/a"', "name: expected text of 1 to 64 bytes"),
        (f'[[goal]]\nname = "{"ä" * 33}"\npage = "/a"', "name: expected text of 1 to 64 bytes"),
        (2 * (GOAL + 'page = "/a"\n'), "goal 2: expected another name, 'Checkout' names an earlier one"),
        ('[goal]\nname = "a"', "expected [[goal]] with two brackets, once for each goal"),
        ("goals = []", "expected only [[goal]], got 'goals'"),
        ("".join(f'[[goal]]\nname = "{n}"\npage = "/{n}"\n' for n in range(33)), "expected at most 32 goals, got 33"),
        ("x" * 70_000, "more than 65,536 bytes"),
        ("\xff", "codec can't decode"),
    ],
)
def test_a_wrong_file_says_what_is_expected(tmp_path: Path, text: str, error: str) -> None:
    path = tmp_path / "goals.toml"
    path.write_bytes(text.encode("latin-1" if text == "\xff" else "utf-8"))
    with pytest.raises(ConfigurationError, match=re.escape(error)) as raised:
        read_goals(path)
    assert str(raised.value).startswith("GOALS_FILE: ")
    assert str(path) in str(raised.value)
    assert len(str(raised.value)) < 1_000


def test_ten_thousand_lines_are_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "goals.toml"
    path.write_text('[[goal]]\nname = "x"\npage = "/x"\n' * 10_000)
    with pytest.raises(ConfigurationError, match="more than 65,536 bytes; expected 32 goals"):
        read_goals(path)


@pytest.mark.parametrize("path", ["/nowhere/goals.toml", "/"])
def test_an_unreadable_file_is_named(path: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(f"GOALS_FILE: cannot read {path}: ")):
        read_goals(Path(path))


@pytest.mark.parametrize(
    ("pattern", "page", "matches"),
    [
        ("/thanks", "/thanks", True),
        ("/thanks", "/thanks/", False),
        ("/thanks", "/Thanks", False),
        ("/checkout/*", "/checkout/", True),
        ("/checkout/*", "/checkout/a/b", True),
        ("/checkout/*", "/checkout", False),
        ("*", "/", True),
        ("*/thanks", "/de/shop/thanks", True),
        ("*/thanks", "/thanks/you", False),
        ("/a*b*c", "/a-b-b-c", True),
        ("/a*b*c", "/a-c-b", False),
        ("/a*a", "/a", False),
        ("/*.html", "/x.html\n", False),
        ("/[a-z]?", "/[a-z]?", True),
        ("/**", "/a", True),
    ],
)
def test_a_star_stands_for_any_characters(pattern: str, page: str, matches: bool) -> None:
    assert matcher(pattern)(page) == matches


@given(st.text("/ab*", max_size=8), st.text("/ab\n", max_size=12))
def test_a_pattern_matches_what_its_regular_expression_matches(pattern: str, page: str) -> None:
    expression = re.escape(pattern).replace(r"\*", ".*")
    assert matcher(pattern)(page) == (re.fullmatch(expression, page, re.DOTALL) is not None)


def test_a_hostile_page_takes_no_time() -> None:
    matches = matcher("*" + "a*" * 200 + "b")
    assert not matches("a" * 500)  # a backtracking matcher would never come back


def test_there_is_a_bit_for_each_goal() -> None:
    goals = Goals(tuple(Goal(name=f"{number:02}", page=f"/{number}") for number in range(MOST_GOALS)))
    assert goals.of_page("/31") == 1 << 31
