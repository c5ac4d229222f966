"""Dead letters say where they come from and why."""

from hypothesis import given
from hypothesis import strategies as st

from shared.events.refusals import Origin, Reason, Refusal, dead_letter_headers, dead_letter_topic

ORIGIN = Origin(service="enrich", topic="click-data", partition=3, offset=42, timestamp_ms=1_790_000_000_123)


def test_headers_hold_reason_and_origin() -> None:
    assert dict(dead_letter_headers(Refusal(Reason.NOT_JSON, "no JSON at all"), ORIGIN)) == {
        "reason": b"not_json",
        "error": b"no JSON at all",
        "service": b"enrich",
        "topic": b"click-data",
        "partition": b"3",
        "offset": b"42",
        "timestamp": b"1790000000123",
    }


@given(st.text(st.characters(), max_size=20))
def test_any_error_text_fits_into_a_header(error: str) -> None:
    headers = dict(dead_letter_headers(Refusal(Reason.WRONG_TYPE, error), ORIGIN))
    assert headers["error"].decode().encode("utf-8", "backslashreplace") == headers["error"]


def test_dead_letters_have_the_topic_of_their_origin_with_a_suffix() -> None:
    assert dead_letter_topic("click-data") == "click-data-dlq"
