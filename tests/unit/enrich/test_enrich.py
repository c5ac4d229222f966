"""A raw click and its lookups become an enriched click."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import UNSET

from services.enrich.attributes.agent import Agent
from services.enrich.lookups.catalogue import (
    NO_PRODUCT,
    UNKNOWN_PRODUCT,
    UNKNOWN_VISITOR,
    ProductFacts,
    VisitorFacts,
    number_of,
    visitor_of,
)
from services.enrich.transform.age import age_on_day, age_span
from services.enrich.transform.enrich import Enricher
from services.enrich.transform.rules import Rules
from shared.events.refusals import Reason, Refusal
from shared.events.schema import EnrichedEvent, RawEvent
from shared.events.timestamps import EPOCH_MS

NOW_MS = 1_790_000_000_123
VASE = ProductFacts("vases", "Blue vase")
enrich = Enricher(Rules(exposes_pii=True)).enrich


def click(timestamp: int = NOW_MS, **fields: object) -> RawEvent:
    return RawEvent(timestamp=timestamp, userId="ada", **fields)  # type: ignore[arg-type]  # fields of a RawEvent


def enriched(
    event: RawEvent,
    product: ProductFacts = NO_PRODUCT,
    visitor: VisitorFacts = UNKNOWN_VISITOR,
    arrived_ms: int | None = None,
) -> EnrichedEvent:
    event_or_refusal = enrich(
        event,
        event.userId,
        event.ip,
        product,
        visitor,
        "France",
        Agent("Mobile", "Chrome Mobile", "Android"),
        event.timestamp if arrived_ms is None else arrived_ms,
    )
    assert isinstance(event_or_refusal, EnrichedEvent)
    return event_or_refusal


def at(year: int, month: int, day: int, hour: int = 12) -> int:
    return int(datetime(year, month, day, hour, tzinfo=UTC).timestamp() * 1000)


def born(birthday: str) -> VisitorFacts:
    visitor = visitor_of(None, birthday.encode())
    assert visitor is not None
    return visitor


def test_combines_the_click_with_all_lookups() -> None:
    event = click(
        productId="VASE-1",
        ip="81.2.69.142",
        userAgent="Browser/1",
        original_timestamp=1_700_000_000,
        eventId="e1",
        eventType="purchase",
        url="https://shop.example/vase",
        referrer="https://search.example/",
    )
    visitor = visitor_of(b"F", b"1990-09-22")
    assert visitor is not None
    assert enriched(event, VASE, visitor) == EnrichedEvent(
        timestamp=NOW_MS,
        original_timestamp=1_700_000_000_000,
        userId="ada",
        ip="81.2.69.142",
        userAgent="Browser/1",
        productId="VASE-1",
        category="vases",
        title="Blue vase",
        gender="F",
        country="France",
        deviceType="Mobile",
        browser="Chrome Mobile",
        operatingSystem="Android",
        age=35,
        birthdate="1990-09-22",
        eventId="e1",
        eventType="purchase",
        url="https://shop.example/vase",
        referrer="https://search.example/",
    )


def test_page_without_product_has_neither_category_nor_title() -> None:
    event = enriched(click())
    assert (event.productId, event.category, event.title) == (None, None, None)


def test_product_that_the_catalogue_lacks_is_unknown() -> None:
    event = enriched(click(productId="GONE"), UNKNOWN_PRODUCT)
    assert (event.productId, event.category, event.title) == ("GONE", "Unknown", "Unknown")


@pytest.mark.parametrize(
    ("product_id", "url", "product", "shown"),
    [
        ("/about", "/about", UNKNOWN_PRODUCT, None),
        ("/about", "https://shop.example/about?ref=1", UNKNOWN_PRODUCT, None),
        ("/about", "http://shop.example:8080/about#top", UNKNOWN_PRODUCT, None),
        ("/", "https://shop.example/", UNKNOWN_PRODUCT, None),
        ("/about", "/about", VASE, "/about"),
        ("/about", "/shop/about", UNKNOWN_PRODUCT, "/about"),
        ("/about", "https://shop.example/shop/about", UNKNOWN_PRODUCT, "/about"),
        ("/about", None, UNKNOWN_PRODUCT, "/about"),
        ("GONE", "/GONE", UNKNOWN_PRODUCT, "GONE"),
    ],
)
def test_a_page_is_a_product_only_if_the_catalogue_says_so(
    product_id: str, url: str | None, product: ProductFacts, shown: str | None
) -> None:
    event = enriched(click(productId=product_id, url=url), product)
    assert event.productId == shown
    assert event.category == (product.category if shown else None)


def test_optional_fields_that_the_producer_did_not_send_stay_absent() -> None:
    event = enriched(click())
    assert (event.eventId, event.eventType, event.url, event.referrer) == (UNSET, UNSET, UNSET, UNSET)


@pytest.mark.parametrize(
    ("given", "known", "gender"),
    [
        ("M", "F", "M"),
        ("female", "M", "F"),
        ("male", "U", "M"),
        ("u", "F", "U"),
        ("x", "F", "F"),
        ("", "F", "F"),
        (None, "F", "F"),
        (None, "U", "U"),
        ("?", "U", "U"),
    ],
)
def test_gender_is_the_events_own_else_the_visitors(given: str | None, known: str, gender: str) -> None:
    assert enriched(click(gender=given), visitor=VisitorFacts(known)).gender == gender


@pytest.mark.parametrize(
    ("birthday", "timestamp", "age"),
    [
        ("1990-09-22", at(2026, 9, 21, 23), 35),
        ("1990-09-22", at(2026, 9, 22, 0), 36),
        ("2000-02-29", at(2026, 2, 28), 25),
        ("2000-02-29", at(2026, 3, 1), 26),  # in a year without the day, the day after
        ("2000-02-29", at(2028, 2, 28), 27),
        ("2000-02-29", at(2028, 2, 29), 28),
        ("2026-09-22", at(2026, 9, 22), 0),
        ("2026-09-23", at(2026, 9, 22), None),  # not born yet
        ("1876-09-22", at(2026, 9, 22), 150),
        ("1875-09-22", at(2026, 9, 22), None),
        ("1969-12-31", at(1970, 1, 1), 0),
    ],
)
def test_age_on_the_day_of_the_event(birthday: str, timestamp: int, age: int | None) -> None:
    assert enriched(click(timestamp), visitor=born(birthday)).age == age


@given(st.dates(date(1900, 1, 1), date(2020, 1, 1)), st.integers(at(2021, 1, 1), at(2040, 1, 1)))
def test_age_is_the_count_of_birthdays_passed(birthday: date, timestamp: int) -> None:
    day = datetime.fromtimestamp(timestamp / 1000, UTC).date()
    passed = [
        year
        for year in range(birthday.year + 1, day.year + 1)
        if (year, birthday.month, birthday.day) <= (day.year, day.month, day.day)
    ]
    assert enriched(click(timestamp), visitor=born(birthday.isoformat())).age == len(passed)


@given(st.dates(date(1890, 1, 1), date(2090, 12, 31)), st.integers(EPOCH_MS.start, EPOCH_MS.stop - 1))
@example(date(2000, 2, 29), 1_740_787_200_000)  # 1 March 2025
@example(date(2000, 2, 29), 1_740_787_199_999)
def test_age_is_the_same_in_its_span_and_changes_at_both_ends(birthday: date, timestamp: int) -> None:
    number = number_of(birthday)
    since_ms, until_ms = age_span(number, timestamp)
    assert since_ms <= timestamp < until_ms
    ages = [age_on_day(number, instant) for instant in (since_ms - 1, since_ms, timestamp, until_ms - 1, until_ms)]
    assert ages[1:4] == [ages[2]] * 3
    if ages[2] is not None:
        assert ages[0] != ages[2] != ages[4]


def test_unknown_age_is_so_at_any_time() -> None:
    since_ms, until_ms = age_span(None, NOW_MS)
    assert since_ms <= 0 <= EPOCH_MS.stop <= until_ms


@pytest.mark.parametrize(
    ("given", "age"),
    [(0, 0), (34, 34), (34.9, 34), (150, 150), (151, None), (-1, None), (1e300, None), (10**400, None)],
)
def test_age_in_the_event_takes_precedence(given: float, age: int | None) -> None:
    assert enriched(click(age=given), visitor=born("1990-09-22")).age == age


@pytest.mark.parametrize("birthday", ["", "1990-02-30", "1990", "22.09.1990", "1990-9-22", "19900922", "x" * 1000])
def test_invalid_birth_date_is_dropped(birthday: str) -> None:
    event = enriched(click(), visitor=born(birthday))
    assert (event.birthdate, event.age) == (None, None)


def test_birth_date_may_have_a_time_of_day() -> None:
    assert enriched(click(), visitor=born("1990-09-22T00:00:00Z")).birthdate == "1990-09-22"


@pytest.mark.parametrize(
    ("written", "read"), [("2023-11-14T22:13:20Z", 1_700_000_000_000), ("long ago", None), (-1, None)]
)
def test_original_timestamp_becomes_epoch_ms(written: object, read: int | None) -> None:
    assert enriched(click(original_timestamp=written)).original_timestamp == read


def test_event_is_refused_when_more_than_a_minute_ahead_of_its_arrival() -> None:
    assert enriched(click(), arrived_ms=NOW_MS - 60_000).timestamp == NOW_MS
    refusal = enrich(click(), "ada", None, NO_PRODUCT, UNKNOWN_VISITOR, "France", Agent("Mobile"), NOW_MS - 60_001)
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.FUTURE


def test_enriched_click_has_only_the_pseudonym_and_the_truncated_address() -> None:
    outcome = enrich(
        click(ip="81.2.69.142"), "a1b2", "81.2.69.0", NO_PRODUCT, UNKNOWN_VISITOR, "France", Agent("Mobile"), NOW_MS
    )
    assert isinstance(outcome, EnrichedEvent)
    assert (outcome.userId, outcome.ip) == ("a1b2", "81.2.69.0")


def test_claims_come_with_what_the_lookup_says() -> None:
    ada = born("1990-09-22")
    claimed = enriched(click(gender="M", age=40), visitor=ada)
    assert (claimed.gender, claimed.age, claimed.profileGender, claimed.profileAge) == ("M", 40, "U", 35)
    unknown = enriched(click(age=40))
    assert (unknown.gender, unknown.age, unknown.profileGender, unknown.profileAge) == ("U", 40, "U", None)
    honest = enriched(click(), visitor=ada)
    assert (honest.profileGender, honest.profileAge) == (UNSET, UNSET)


def test_without_exposed_pii_there_is_an_age_but_no_birth_date() -> None:
    outcome = Enricher(Rules()).enrich(
        click(), "ada", None, NO_PRODUCT, born("1990-09-22"), "France", Agent("Mobile"), NOW_MS
    )
    assert isinstance(outcome, EnrichedEvent)
    assert (outcome.age, outcome.birthdate) == (35, None)


def test_urls_are_cleaned_and_long_fields_are_shortened() -> None:
    event = enriched(
        click(
            url="https://shop.example/?email=ada@example.com",
            referrer="https://shop.example/" + "ä/" * 3_000,
            userAgent="日" * 1_000,
            eventType="x" * 65,
        ),
        ProductFacts("c" * 600, "ö" * 600),
    )
    assert event.url == "https://shop.example/"
    sizes = {name: len(str(getattr(event, name)).encode()) for name in ("referrer", "userAgent", "eventType", "title")}
    assert sizes == {"referrer": 2048, "userAgent": 1023, "eventType": 64, "title": 511}
    assert all(str(getattr(event, name)).endswith("…") for name in sizes)
