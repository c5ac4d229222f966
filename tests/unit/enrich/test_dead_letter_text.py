"""Dead letters on a terminal: only printable text gets through."""

import pytest

from services.enrich.dead_letters.options import parse
from services.enrich.dead_letters.text import described, one_line, parse_since, printable
from services.enrich.dead_letters.topic import DeadLetter
from shared.events.refusals import Origin
from shared.streams.event_log import Record

NOW_MS = 1_790_000_000_123  # 2026-09-21T14:13:20Z
ORIGIN = Origin("enrich", "click-data", 3, 42, NOW_MS - 1000)


def letter(value: bytes, error: str = "no JSON") -> DeadLetter:
    return DeadLetter(Record(1, 7, NOW_MS, b"ada", value), "not_json", error, ORIGIN)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Größe 2", "Größe 2"),
        (b"Gr\xc3\xb6\xc3\x9fe", "Größe"),
        (b"\xff{", "\\xff{"),
        ("\x1b[2J\n\x00", "\\x1b[2J\\n\\x00"),
        ("\u202egnp.exe", "\\u202egnp.exe"),  # would be shown from right to left
        ("שלום", "שלום"),
    ],
)
def test_only_printable_characters_get_through(text: str | bytes, shown: str) -> None:
    assert printable(text) == shown


def test_one_line_is_one_line_and_short() -> None:
    line = one_line(letter(b"line\n" * 100_000, error="bad\n" * 1000))
    assert line.startswith("2026-09-21T14:13:20Z  1:7  not_json  bad\\nbad\\n")
    assert "\n" not in line
    assert len(line) < 250


def test_description_has_origin_and_bytes() -> None:
    text = described(letter(b'{"a": 1\xff'))
    assert "origin:   click-data partition 3 offset 42" in text
    assert "arrived:  2026-09-21T14:13:19Z" in text
    assert "key:      ada" in text
    assert text.endswith('{"a": 1\\xff')


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("90m", NOW_MS - 90 * 60_000),
        ("30s", NOW_MS - 30_000),
        ("24h", NOW_MS - 24 * 3_600_000),
        ("7d", NOW_MS - 7 * 86_400_000),
        ("999999999d", 0),
        ("2026-09-21T00:00:00Z", NOW_MS // 86_400_000 * 86_400_000),
        ("1790000000", 1_790_000_000_000),
        ("yesterday", None),
        ("7", 7000),
        ("", None),
    ],
)
def test_since_is_an_instant_or_an_age(text: str, instant: int | None) -> None:
    assert parse_since(text, NOW_MS) == instant


def test_options_of_a_replay() -> None:
    options = parse(["replay", "--reason", "future", "--reason", "not_json", "--since", "1h", "--dry-run"], NOW_MS)
    assert options.job == "replay"
    assert options.reasons == {"future", "not_json"}
    assert options.since_ms == NOW_MS - 3_600_000
    assert options.is_dry
    assert parse(["replay"], NOW_MS).reasons == frozenset()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "JOB"),
        (["lits"], "lits"),
        (["list", "--reason", "bad"], "not_json"),
        (["list", "--since", "yesterday"], "90m"),
        (["list", "--limit", "0"], "1 or more"),
        (["show"], "PLACE"),
    ],
)
def test_wrong_option_is_named(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(arguments, NOW_MS)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
