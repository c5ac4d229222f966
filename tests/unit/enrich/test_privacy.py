"""Salt periods, pseudonyms, sessions that cross a rotation, and truncated addresses."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.events.addresses import plain_address, truncated_ip
from shared.events.timestamps import LATEST_MS
from shared.privacy.rotation import (
    Crossing,
    Period,
    Rotation,
    derived_salt,
    period_of,
    pseudonym_of,
)

HOUR_MS = 3_600_000


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("rotation", "instant", "period"),
    [
        ("daily", "2026-11-22T23:59:59.999", Period("2026-11-22", at("2026-11-22"), at("2026-11-23"))),
        ("daily", "2026-11-23", Period("2026-11-23", at("2026-11-23"), at("2026-11-24"))),
        ("monthly", "2026-11-30T23:59:59", Period("2026-11", at("2026-11-01"), at("2026-12-01"))),
        ("monthly", "2028-02-29", Period("2028-02", at("2028-02-01"), at("2028-03-01"))),
        ("monthly", "2026-12-31", Period("2026-12", at("2026-12-01"), at("2027-01-01"))),
    ],
)
def test_period_is_the_day_or_month_in_utc(rotation: Rotation, instant: str, period: Period) -> None:
    assert period_of(at(instant), rotation) == period


@given(st.integers(0, LATEST_MS), st.sampled_from(["daily", "monthly"]))
def test_every_instant_is_in_its_period_and_periods_are_contiguous(timestamp_ms: int, rotation: Rotation) -> None:
    period = period_of(timestamp_ms, rotation)
    assert period.start_ms <= timestamp_ms < period.end_ms
    assert period_of(period.start_ms - 1, rotation).end_ms == period.start_ms


def test_salt_exists_from_its_period_until_a_day_after_it() -> None:
    period = period_of(at("2026-11-22T12:00"), "daily")
    assert not period.is_remembered(at("2026-11-21T12:00"))
    assert period.is_remembered(at("2026-11-21T23:59:30"))  # clocks differ
    assert period.is_remembered(at("2026-11-23T23:59:59"))
    assert not period.is_remembered(at("2026-11-24T00:00"))


def test_pseudonym_depends_on_salt_and_visitor_alone() -> None:
    salt, other_salt = b"s" * 32, b"t" * 32
    pseudonym = pseudonym_of("ada", salt)
    assert pseudonym == pseudonym_of("ada", salt)
    assert len({pseudonym, pseudonym_of("bea", salt), pseudonym_of("ada", other_salt)}) == 3
    assert len(pseudonym) == 32
    assert "ada" not in pseudonym


def test_derived_salts_differ_by_secret_and_period() -> None:
    today, tomorrow = (period_of(at(day), "daily") for day in ("2026-11-22", "2026-11-23"))
    salts = {derived_salt(secret, period) for secret in ("secret one", "secret two") for period in (today, tomorrow)}
    assert len(salts) == 4
    assert derived_salt("secret one", today) in salts


def test_session_continues_for_less_than_the_gap_after_its_last_click() -> None:
    #   23:40:00.900 ──── 1,799 s ──── 00:09:59.999 │ 00:10:00.000: a gap of 1,800 s, in whole seconds, ends it
    crossing = Crossing({})
    crossing.extend("old", at("2026-11-22T23:40:00.900"))
    assert crossing.goes_on("old", at("2026-11-23T00:09:59.999"))
    assert not crossing.goes_on("old", at("2026-11-23T00:10:00"))
    assert not crossing.goes_on("other", at("2026-11-23T00:01:00"))


def test_late_click_never_shortens_a_session_and_only_changes_are_written() -> None:
    until_ms = at("2026-11-23T00:20")
    crossing = Crossing({"old": until_ms})
    crossing.extend("old", at("2026-11-22T23:35"))
    assert crossing.goes_on("old", until_ms - 1)
    assert crossing.changed == {}
    crossing.extend("old", at("2026-11-22T23:55"))
    assert crossing.changed == {"old": at("2026-11-23T00:25")}


@pytest.mark.parametrize(
    ("ip", "truncated"),
    [
        ("81.2.69.142", "81.2.69.0"),
        ("10.1.2.3", "10.1.2.0"),
        ("2001:4860:4860:1234::8888", "2001:4860:4860::"),
        ("::ffff:81.2.69.142", "81.2.69.0"),
        ("fe80::1%eth0", None),
        ("81.2.69.142:443", None),
        ("81.2.69.142, 10.0.0.1", None),
        ("somebody at home", None),
        ("8" * 100_000, None),
        ("", None),
        (None, None),
    ],
)
def test_truncated_ip_has_no_host(ip: str | None, truncated: str | None) -> None:
    assert truncated_ip(ip) == truncated


_octets = st.integers(0, 300).map(str) | st.sampled_from(
    ["", "00", "01", "007", "1\n", " 1", "+1", "\u0663", "\u00b2", "a"]
)


@given(st.lists(_octets, min_size=3, max_size=5).map(".".join))
def test_truncated_ip_takes_the_addresses_that_ipaddress_takes(ip: str) -> None:
    address = plain_address(ip)
    assert truncated_ip(ip) == (str(address).rpartition(".")[0] + ".0" if address is not None else None)
