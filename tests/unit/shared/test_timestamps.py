"""What producers may write as a timestamp, and the labels of minutes and half hours."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.events.timestamps import EPOCH_MS, LATEST_MS, iso_second, parse_iso_second, parse_timestamp_ms

NOON_MS = 1_790_078_400_000  # 2026-09-22T12:00:00Z


@pytest.mark.parametrize(
    "written",
    [
        NOON_MS,
        NOON_MS // 1000,
        NOON_MS * 1000,
        NOON_MS * 1_000_000,
        float(NOON_MS),
        NOON_MS / 1000,
        str(NOON_MS),
        str(NOON_MS // 1000),
        "1790078400.0",
        "2026-09-22T12:00:00Z",
        "2026-09-22T12:00:00+00:00",
        "2026-09-22T14:00:00+02:00",
        "2026-09-22T12:00:00",
        "2026-09-22 12:00:00.000999",
        " 2026-09-22T12:00:00Z ",
        "20260922T120000Z",
        "2026-09-22t12:00:00z",
        "2026-09-22 12:00:00 UTC",
        "2026-09-22 12:00:00.000123 utc",
        "2026-09-22T12:00:00UTC",
        "2026-09-22T12:00:00 GMT",
        "2026-09-22T12:00:00+0000",
        "2026-09-22 14:00:00 +0200",
        "2026-09-22 14:00:00.000 +0200",
        "2026-09-22 14:00:00,000 +02:00",
        "2026-09-22T12:00:00Z[UTC]",
        "2026-09-22T14:00:00+02:00[Europe/Berlin]",
    ],
)
def test_one_instant_in_every_form(written: float | str) -> None:
    assert parse_timestamp_ms(written) == NOON_MS


@pytest.mark.parametrize(
    "written",
    [
        "",
        "noon",
        "2026-13-01",
        "1969-12-31T23:59:59Z",
        "-1",
        -1,
        -0.5,
        float("nan"),
        float("inf"),
        10**30,
        "9" * 31,
        "9" * 10_000,
        "1e9",
        "١٢٣٤٥٦٧٨٩٠",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "UTC",
        "12:00:00 UTC",
        "2026-09-22T12:00:00 EST",
        "2026-09-22T12:00:00+25:00 UTC",
        "2026-09-22T12:00:00Z" + " UTC" * 10_000,
    ],
)
def test_no_instant(written: float | str) -> None:
    assert parse_timestamp_ms(written) is None


def test_eight_digits_are_a_date() -> None:
    assert parse_timestamp_ms("20260922") == NOON_MS - 12 * 3_600_000


def test_fraction_of_a_second_is_kept_to_the_millisecond() -> None:
    assert parse_timestamp_ms(1_393_858_173.123) == 1_393_858_173_123
    assert parse_timestamp_ms("2026-09-22T12:00:00.123999Z") == NOON_MS + 123


@given(st.text() | st.floats() | st.integers())
def test_parsing_never_raises_and_stays_in_range(written: float | str) -> None:
    parsed = parse_timestamp_ms(written)
    assert parsed is None or 0 <= parsed <= LATEST_MS


@given(st.integers(EPOCH_MS.start, EPOCH_MS.stop - 1))
def test_milliseconds_are_taken_as_they_are(timestamp_ms: int) -> None:
    assert parse_timestamp_ms(timestamp_ms) == timestamp_ms


@given(
    st.datetimes(
        min_value=datetime(1970, 1, 2),  # noqa: DTZ001 - the strategy adds the zone
        timezones=st.timezones(),
    )
)
def test_iso_text_with_an_offset_is_that_instant(moment: datetime) -> None:
    since = (moment - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)
    assert parse_timestamp_ms(moment.isoformat()) == (since if since <= LATEST_MS else None)


@given(st.integers(0, LATEST_MS))
def test_label_of_a_second_reads_back(timestamp_ms: int) -> None:
    assert parse_iso_second(iso_second(timestamp_ms)) == timestamp_ms // 1000 * 1000


@pytest.mark.parametrize("label", ["", "2026-09-22", "2026-09-22T12:00:00", "2026-09-22T12:00:00+00:00"])
def test_other_text_is_no_label(label: str) -> None:
    with pytest.raises(ValueError, match="does not match"):
        parse_iso_second(label)
