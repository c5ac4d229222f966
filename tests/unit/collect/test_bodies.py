"""Bodies: unpacked within the limit, read or refused."""

import gzip
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.collect.bodies import read_events, unpacked
from services.collect.request import Rejected
from shared.events.collected import OUTCOMES


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_packed_bodies_are_unpacked(pack: type, encoding: str) -> None:
    assert unpacked(pack(b"[1]" * 100), encoding, 300) == b"[1]" * 100


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (gzip.compress(bytes(50 << 20)), "gzip", 413),
        (gzip.compress(b"x" * 1001), "gzip", 413),
        (gzip.compress(b"x" * 900)[:-6], "gzip", 400),
        (b"not gzip", "gzip", 400),
        (b"", "gzip", 400),
        (b"x", "br", 415),
    ],
    ids=["bomb", "one too many", "cut", "plain", "empty", "brotli"],
)
def test_a_body_that_cannot_be_unpacked_is_refused(body: bytes, encoding: str, status: int) -> None:
    with pytest.raises(Rejected) as refusal:
        unpacked(body, encoding, 1000)
    assert refusal.value.status == status
    assert refusal.value.reason in OUTCOMES


def test_objects_arrays_and_lines_hold_events() -> None:
    assert read_events(b'{"a":1}', 10) == [{"a": 1}]
    assert read_events(b'[{"a":1},{"a":2.50}]', 10) == [{"a": 1}, {"a": "2.50"}]
    assert read_events(b'{"a":1}\n\n{"a":2}\r\n', 10) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not_json"),
        (b"[]", "missing_field"),
        (b"[1,2,3]", "too_many_events"),
        (b"1\n2\n3\n", "too_many_events"),
        (b'{"a":', "not_json"),
        (b'{"a":1}\n{', "not_json"),
        (b"\xff\xfe", "not_utf8"),
        (b"[" * 200_000, "too_deep"),
    ],
)
def test_other_bodies_are_refused(body: bytes, reason: str) -> None:
    with pytest.raises(Rejected) as refusal:
        read_events(body, 2)
    assert refusal.value.reason == reason


@given(st.binary(max_size=200))
def test_no_body_raises_anything_else(body: bytes) -> None:
    with suppress(Rejected):
        read_events(body, 5)
