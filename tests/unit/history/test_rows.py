"""Events as rows: nothing in them that PostgreSQL refuses, and the first of equal events."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.history.rows import Outcomes, Row, build_batch, event_digest, name_digest, row_of
from shared.events.enriched import decode_enriched, encode_enriched
from shared.events.schema import EnrichedEvent
from shared.events.timestamps import LATEST_MS
from shared.privacy.erasures import NO_ERASURES
from shared.streams.event_log import Record

NOW_MS = 1_795_867_200_000


def event(user: str = "ada", timestamp: int = NOW_MS, **fields: Any) -> EnrichedEvent:
    return EnrichedEvent(timestamp=timestamp, userId=user, **fields)


def record(of: EnrichedEvent | bytes, offset: int = 0, partition: int = 0) -> Record:
    value = of if isinstance(of, bytes) else encode_enriched(of)
    return Record(partition, offset, NOW_MS, None, value)


def test_absent_fields_are_null_and_absent_words_have_names() -> None:
    row = row_of(event())
    assert (row.site, row.event_type, row.country) == ("", "page_view", "Unknown")
    absent = set(Row._fields[Row._fields.index("product") :])
    assert {name for name in Row._fields if getattr(row, name) is None} == absent


@given(st.integers(0, LATEST_MS))
def test_instants_are_exact_to_the_millisecond(timestamp_ms: int) -> None:
    found = row_of(event(timestamp=timestamp_ms)).ts
    assert found.tzinfo is UTC
    assert (found - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(milliseconds=1) == timestamp_ms


def test_nul_is_replaced_so_that_ids_stay_apart() -> None:
    rows = [row_of(event(user, userAgent="a\0")) for user in ("a\0b", "ab", "\0")]
    assert [row.visitor for row in rows] == ["a\ufffdb", "ab", "\ufffd"]
    assert {row.user_agent for row in rows} == {"a\ufffd"}


@given(
    st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(
            ("eventId", "eventType", "url", "referrer", "site", "ip", "title", "orderId", "platform"),
            st.sampled_from(["", "a\0", "\0", "\\u0000", "https://shop.example/%00?utm_campaign=%00&utm_source=a%00"]),
        ),
    )
)
def test_no_row_of_a_batch_has_a_nul(fields: dict[str, Any]) -> None:
    (row,) = build_batch([record(event("a\0", value="1", **fields))], decode_enriched, NO_ERASURES.erases).rows
    assert row == (0, row_of(event("a\0", value="1", **fields)))
    assert "\0" not in "".join(text for text in row[1] if isinstance(text, str))
    (plain,) = build_batch([record(event("a", **fields))], decode_enriched, NO_ERASURES.erases).rows
    assert plain == (0, row_of(event("a", **fields)))
    assert "\0" not in "".join(text for text in plain[1] if isinstance(text, str))


def test_origins_are_in_the_words_of_aggregate() -> None:
    shop = "https://shop.example/shoes?utm_campaign=spring&utm_source=news&utm_medium=email#top"
    tagged = row_of(event(url=shop, referrer="https://www.google.com/"))
    assert (tagged.source, tagged.channel, tagged.campaign) == ("google.com", "Email", "spring (news / email)")
    assert tagged.page == "/shoes"
    none = row_of(event())
    assert (none.source, none.channel, none.campaign, none.page) == ("Direct", "Direct", None, None)


def test_a_page_is_short_and_without_nul() -> None:
    page = row_of(event(url=f"https://shop.example/\0{'é' * 600}")).page
    assert page is not None
    assert page.startswith("/\ufffdé")
    assert 500 < len(page.encode()) <= 514


def test_amounts_are_exact_and_others_are_unknown() -> None:
    assert row_of(event(value="19.99", cost="-0.000001"))[-3:-1] == (Decimal("19.99"), Decimal("-0.000001"))
    assert row_of(event(value="NaN", cost="1e13"))[-3:-1] == (None, None)


def test_digests_never_change() -> None:
    """They are in the databases of users."""
    assert str(name_digest("")) == "cae66941-d9ef-bd40-4e4d-88758ea67670"
    assert event_digest("e1") == 1_971_835_917_959_106_308


def test_batch_has_the_first_of_equal_events_and_accounts_for_every_record() -> None:
    yesterday = NOW_MS - 86_400_000
    batch = build_batch(
        [
            record(event(eventId="e", productId="P1"), 5),
            record(event(eventId="e", productId="P2"), 6),
            record(event("bea", eventId="e"), 7),  # another visitor
            record(event(eventId="e", timestamp=yesterday), 8),  # another day
            record(event(), 9),
            record(event(), 10),  # without an id, both count
            record(event(timestamp=NOW_MS + 60_001), 11),
            record(event(timestamp=NOW_MS + 60_000), 12),
            record(b"not JSON", 13),
            record(event("gone"), 3, partition=1),
            record(b"not JSON", 4, partition=2),
        ],
        decode_enriched,
        lambda user, _happened_ms, _arrived_ms: user == "gone",
    )
    assert [(partition, row.visitor, row.product) for partition, row in batch.rows] == [
        (0, "ada", "P1"),
        (0, "bea", None),
        *[(0, "ada", None)] * 4,
    ]
    assert batch.next_offsets == {0: 14, 1: 4, 2: 5}
    assert batch.outcomes == {
        0: Outcomes(duplicates=1, refused=2),
        1: Outcomes(erased=1),
        2: Outcomes(refused=1),
    }


def test_duplicates_that_aggregate_may_count_are_noted() -> None:
    minute_ms = 60_000
    second = event("bea", eventId="e", timestamp=NOW_MS + 1)
    batch = build_batch(
        [
            record(event(eventId="e"), 0),
            record(event("bea", eventId="e"), 1),
            record(event(eventId="e", timestamp=NOW_MS - 5), 2)._replace(timestamp_ms=NOW_MS + 49 * minute_ms),
            record(second, 3)._replace(timestamp_ms=NOW_MS + 50 * minute_ms),
            record(event(eventId="e", site="b.example", timestamp=NOW_MS + 2), 7, partition=1),
            record(event(eventId="e", site="b.example"), 8, partition=1),
            *(record(event("cem", eventId="e", timestamp=NOW_MS - 7 * 60 * minute_ms), at, 2) for at in (9, 10)),
            record(event("dan", eventId="e", timestamp=NOW_MS - 8 * 60 * minute_ms), 11, 3),
            record(event("dan", eventId="e", timestamp=NOW_MS - 4), 12, 3),
        ],
        decode_enriched,
        NO_ERASURES.erases,
    )
    assert batch.outcomes[0].duplicates == 2
    noted = {number: round(at.timestamp() * 1000) - NOW_MS for number, at in batch.differs_to.items()}
    assert noted == {0: 1, 1: 2, 3: -4}, "the latest of each partition; aggregate remembers no late event"


def test_no_records_make_an_empty_batch() -> None:
    batch = build_batch([], decode_enriched, NO_ERASURES.erases)
    assert (batch.rows, batch.next_offsets, batch.outcomes) == ([], {}, {})
