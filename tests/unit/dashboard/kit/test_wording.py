"""Numbers and ages as pages write them."""

import pytest

from services.dashboard.kit import wording


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "now"), (0.9, "now"), (1, "1 s"), (59, "59 s"), (60, "1 min"), (3599, "59 min"), (3600, "1 h"),
     (7500, "2 h 5 min"), (86_399, "23 h 59 min"), (86_400, "1 d"), (10 * 86_400, "10 d")],
)  # fmt: skip
def test_an_age_has_its_largest_units(seconds: float, words: str) -> None:
    assert wording.duration(seconds) == words


def test_now_is_not_ago() -> None:
    assert (wording.ago(0), wording.ago(5)) == ("now", "5 s ago")


def test_numbers_are_grouped_and_nouns_agree() -> None:
    assert wording.grouped(1_234_567) == "1,234,567"
    assert [wording.counted(number, "event") for number in (0, 1, 2000)] == ["0 events", "1 event", "2,000 events"]
    assert [wording.rate(number) for number in (0, 1.26, 99.94, 12_345.6)] == ["0.0", "1.3", "99.9", "12,346"]
    assert (wording.rate(99.96), wording.percentage(0.125)) == ("100", "12.5 %")
    assert (wording.share(1, 3), wording.share(0, 0)) == ("33%", "–")


def test_places_are_ordinals() -> None:
    places = (1, 2, 3, 4, 11, 12, 13, 21, 100, 111)
    assert " ".join(map(wording.ordinal, places)) == "1st 2nd 3rd 4th 11th 12th 13th 21st 100th 111th"


def test_a_span_has_its_two_largest_units() -> None:
    spans = {0.0: "0 s", 48.4: "48 s", 59.6: "1 min", 182.4: "3 min 2 s", 3600.0: "1 h", 7_530.0: "2 h 5 min"}
    assert {seconds: wording.span(seconds) for seconds in spans} == spans


def test_sizes_are_in_powers_of_a_thousand_with_three_digits() -> None:
    sizes = {
        0: "0 B", 812: "812 B", 999: "999 B", 1000: "1.0 kB", 4_676_184: "4.7 MB", 99_940_000: "99.9 MB",
        99_960_000: "100 MB", 162_146_000: "162 MB", 999_600_000: "1.0 GB", 10**12: "1.0 TB", 5 * 10**15: "5,000 TB",
    }  # fmt: skip
    assert {number: wording.size(number) for number in sizes} == sizes


def test_milliseconds_keep_their_significant_digits() -> None:
    amounts = {0.0: "0.0 ms", 0.42: "0.4 ms", 9.96: "10 ms", 95.2: "95 ms", 999.4: "999 ms", 1_234.0: "1.2 s"}
    assert {amount: wording.milliseconds(amount) for amount in amounts} == amounts


def test_a_share_of_a_core_is_a_whole_percentage() -> None:
    assert [wording.whole_percentage(share) for share in (0, 0.183, 1.999, 12.5)] == ["0 %", "18 %", "200 %", "1,250 %"]


def test_a_small_change_does_not_read_as_none() -> None:
    parts = (0, 0.0949, -0.0012, 0.183, -1)
    assert [wording.signed_percent(part) for part in parts] == [
        "+0\u00a0%",
        "+9.5\u00a0%",
        "−0.1\u00a0%",
        "+18\u00a0%",
        "−100\u00a0%",
    ]
