"""Which events an erasure covers, and how the list of erasures is stored."""

import pytest

from shared.privacy.erasures import (
    NO_ERASURES,
    Erasure,
    Erasures,
    decode_erasures,
    encode_erasure,
    encode_erasures,
    read_erasures,
    token_of,
)

NOW_MS = 1_795_343_400_000
DAY_MS = 86_400_000


def erasures(**until_ms: int) -> Erasures:
    return Erasures({token_of(user): Erasure(until, NOW_MS + DAY_MS) for user, until in until_ms.items()})


#  happened ──┐        ┌── arrived
#  ───────────●────────●──────────▶
#       erased up to ▲ or later: the event is erased
@pytest.mark.parametrize(
    ("user", "happened_ms", "arrived_ms", "is_erased"),
    [
        ("ann", 900, 950, True),
        ("ann", 1000, 1200, True),  # in flight at the erasure
        ("ann", 1030, 1000, True),  # ahead of the clock at the erasure
        ("ann", 1001, 1001, False),  # of the visitor who came back
        ("ann", 10, 99_999, True),  # an old event sent again
        ("bob", 900, 950, False),
    ],
)
def test_an_event_is_erased_if_it_happened_or_arrived_up_to_the_erasure(
    user: str, happened_ms: int, arrived_ms: int, *, is_erased: bool
) -> None:
    assert erasures(ann=1000, eve=5000).erases(user, happened_ms, arrived_ms) is is_erased


def test_a_later_erasure_of_a_visitor_wins_in_any_order() -> None:
    early, late = erasures(ann=1000, bob=7), erasures(ann=2000)
    for merged in (early.with_all(late), late.with_all(early)):
        assert merged.by_token == erasures(ann=2000, bob=7).by_token
        assert merged.covers(early)
        assert merged.covers(late)
    assert not early.covers(late)
    assert early.with_all(NO_ERASURES) is early


def test_expired_erasures_are_dropped() -> None:
    kept = erasures(ann=1000)
    assert kept.at(NOW_MS) is kept
    assert not kept.at(NOW_MS + DAY_MS)


def test_a_key_hides_the_token_of_a_guessed_id() -> None:
    assert token_of("ann", b"secret") != token_of("ann")
    keyed = Erasures({token_of("ann", b"secret"): Erasure(1000, NOW_MS)}, b"secret")
    assert keyed.includes("ann")


def test_a_state_stores_the_erasures_and_refuses_damaged_ones() -> None:
    kept = erasures(ann=1000, bob=2000)
    assert decode_erasures(encode_erasures(kept)).by_token == kept.by_token
    assert decode_erasures(b"") is NO_ERASURES
    for damaged in (b"{", b"\xff", b'{"a": 1}', b"[]"):
        with pytest.raises(ValueError):  # noqa: PT011 - whatever the message
            decode_erasures(damaged)


def test_what_is_no_erasure_in_redis_is_left_out() -> None:
    good = Erasure(NOW_MS, NOW_MS + DAY_MS)
    token = token_of("ann").encode()
    fields = {
        token: encode_erasure(good),
        b"short": encode_erasure(good),
        b"\xff" * 32: encode_erasure(good),
        token_of("1").encode(): b"",
        token_of("2").encode(): b"-1 5",
        token_of("3").encode(): b"9" * 1_000_000 + b" 1",
        token_of("4").encode(): encode_erasure(Erasure(NOW_MS + DAY_MS, NOW_MS + 2 * DAY_MS)),  # of tomorrow
        token_of("5").encode(): encode_erasure(Erasure(NOW_MS - DAY_MS, NOW_MS)),  # expired
        token_of("6").encode(): b"1 2 3",
    }
    assert read_erasures(fields, NOW_MS) == {token.decode(): good}
