"""Replicas agree on pseudonyms through Redis, fake or real."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import fakeredis
import pytest
import redis

from shared.events.schema import RawEvent
from shared.privacy.pseudonyms import CONFIRM_MS, Pseudonyms, crossing_key, salt_key
from shared.privacy.rotation import Rotation, period_of, pseudonym_of
from shared.runtime.redis_client import connect

PREFIX = "shop:"
SECRET = "a secret of some length"

# Redis expires keys by its own clock, so the tests need a midnight near now: the next, which they may cross.
MIDNIGHT = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


def at(clock_time: str, days: int = 0) -> int:
    """That time on the day that ends at MIDNIGHT, or on a later day."""
    hours, minutes, seconds = (int(part) for part in clock_time.split(":"))
    moment = MIDNIGHT + timedelta(days=days - 1, hours=hours, minutes=minutes, seconds=seconds)
    return int(moment.timestamp() * 1000)


class Clock:
    """The clock that all replicas share."""

    def __init__(self) -> None:
        self.now_ms = at("23:30:00")

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture(params=["fakeredis", "valkey"])
def client(request: pytest.FixtureRequest) -> Iterator[redis.Redis]:
    if request.param == "fakeredis":
        yield fakeredis.FakeRedis()
        return
    with connect(request.getfixturevalue("redis_url")) as real:
        yield real


@pytest.fixture
def clock() -> Clock:
    return Clock()


Replicas = Callable[..., Pseudonyms]


@pytest.fixture
def replica(client: redis.Redis, clock: Clock) -> Replicas:
    def make(rotation: Rotation = "daily", secret: str | None = None) -> Pseudonyms:
        return Pseudonyms(client, PREFIX, rotation, secret, clock)

    return make


def click(timestamp_ms: int, user_id: str = "ada") -> RawEvent:
    return RawEvent(timestamp=timestamp_ms, userId=user_id)


@pytest.mark.parametrize("secret", [None, SECRET])
def test_replicas_and_restarts_agree(replica: Replicas, secret: str | None) -> None:
    clicks = [click(at("12:00:00")), click(at("12:00:01"), "bea"), click(at("23:59:00")), click(at("12:00:02"))]
    first = replica(secret=secret).of(clicks)
    assert first == replica(secret=secret).of(clicks)
    assert first[0] == first[2] == first[3] != first[1]


@pytest.mark.parametrize("secret", [None, SECRET])
def test_visitor_gets_a_new_pseudonym_after_a_rotation(replica: Replicas, clock: Clock, secret: str | None) -> None:
    pseudonyms = replica(secret=secret)
    before = pseudonyms.of([click(at("12:00:00"))])
    clock.now_ms = at("12:00:00", days=1)
    assert pseudonyms.of([click(at("12:00:00", days=1))]) != before
    assert pseudonyms.of([click(at("12:00:00"))]) == before  # a late click gets its own day's salt


@pytest.mark.parametrize("secret", [None, SECRET])
@pytest.mark.parametrize("restarts", [False, True])
def test_session_over_midnight_keeps_its_pseudonym(
    replica: Replicas, clock: Clock, secret: str | None, restarts: bool
) -> None:
    #            23:45  23:59 │ 00:20  00:49   01:19:00            12:00
    #   ada        ●      ●   │   ●      ●       ○ a gap of 1,800 s  ○
    #   bea                   │          ○       ○
    pseudonyms = replica(secret=secret)
    old = pseudonyms.of([click(at("23:45:00")), click(at("23:59:00"))])
    found: list[str] = []
    for time_of_day in ("00:20:00", "00:49:00", "01:19:00", "12:00:00"):
        clock.now_ms = at(time_of_day, days=1)
        pseudonyms = replica(secret=secret) if restarts else pseudonyms
        found += pseudonyms.of([click(clock.now_ms)])
    assert old == [old[0]] * 2
    assert found[:2] == [old[0]] * 2
    assert found[2] == found[3] != old[0]
    assert len({*pseudonyms.of([click(at("00:49:00", days=1), "bea"), click(at("12:00:00", days=1), "bea")])}) == 1


def test_session_over_midnight_within_one_batch(replica: Replicas) -> None:
    pseudonyms = replica().of([click(at("23:59:59")), click(at("00:00:00", days=1)), click(at("00:29:00", days=1))])
    assert len(set(pseudonyms)) == 1


def test_redelivered_batch_gets_the_same_pseudonyms(replica: Replicas, clock: Clock) -> None:
    clock.now_ms = at("02:00:00", days=1)
    times = ["00:10:00", "00:39:00", "01:08:00", "01:40:00"]
    clicks = [click(at("23:50:00")), *(click(at(time, days=1)) for time in times)]
    first = replica().of(clicks)
    assert [pseudonym == first[0] for pseudonym in first] == [True, True, True, True, False]
    assert replica().of(clicks) == first


def test_endless_session_is_cut_in_the_morning(replica: Replicas, clock: Clock) -> None:
    pseudonyms = replica()
    old = pseudonyms.of([click(at("23:59:00"))])
    found = []
    for minutes in range(0, 6 * 60, 20):
        clock.now_ms = at("00:00:00", days=1) + minutes * 60_000
        found += pseudonyms.of([click(clock.now_ms)])
    kept = [pseudonym == old[0] for pseudonym in found]
    assert kept == [True] * 12 + [False] * 6


def test_monthly_salt_rotates_at_the_end_of_the_month(replica: Replicas, clock: Clock) -> None:
    first_of_month = period_of(at("12:00:00"), "monthly").end_ms
    clock.now_ms = first_of_month
    pseudonyms = replica("monthly", SECRET)
    day = 86_400_000
    names = pseudonyms.of([click(first_of_month - 9 * day), click(first_of_month - day), click(first_of_month + 1000)])
    assert names[0] == names[1] != names[2]


def test_random_salt_is_deleted_a_day_after_its_period(client: redis.Redis, replica: Replicas, clock: Clock) -> None:
    pseudonyms = replica()
    before = pseudonyms.of([click(at("23:59:00"))])
    day = period_of(at("23:59:00"), "daily")
    for key in (salt_key(PREFIX, day), crossing_key(PREFIX, day)):
        assert client.pexpiretime(key) == day.end_ms + 86_400_000
    clock.now_ms = day.end_ms + 86_400_000
    client.delete(salt_key(PREFIX, day))  # as Redis does when the key expires
    after = pseudonyms.of([click(at("23:59:00")), click(clock.now_ms)])
    assert after[0] == after[1] != before[0]
    assert not client.exists(salt_key(PREFIX, day))


def test_far_timestamps_create_no_salts(client: redis.Redis, replica: Replicas, clock: Clock) -> None:
    day = 86_400_000
    wild = [number for number in range(0, 50_000, 50) if abs(number - clock.now_ms // day) > 2]
    pseudonyms = replica().of([click(number * day + day - 1) for number in wild])
    assert len(set(pseudonyms)) == 1  # all by the current salt
    assert client.dbsize() == 1


def test_secret_needs_no_salt_in_redis(replica: Replicas, client: redis.Redis) -> None:
    replica(secret=SECRET).of([click(at("12:00:00"))])
    assert client.dbsize() == 0


def test_replica_restores_a_salt_that_redis_lost(client: redis.Redis, replica: Replicas, clock: Clock) -> None:
    clicks = [click(at("12:00:00"))]
    running = replica()
    before = running.of(clicks)
    client.flushdb()
    clock.now_ms += CONFIRM_MS
    assert running.of(clicks) == before
    assert replica().of(clicks) == before


def test_replicas_with_different_salts_agree_again(client: redis.Redis, replica: Replicas, clock: Clock) -> None:
    clicks = [click(at("12:00:00"))]
    one, other = replica(), replica()
    one.of(clicks)
    client.flushdb()
    other.of(clicks)
    clock.now_ms += CONFIRM_MS
    assert one.of(clicks) == other.of(clicks)


def test_redis_holds_pseudonyms_and_no_user_ids(client: redis.Redis, replica: Replicas) -> None:
    (pseudonym,) = replica().of([click(at("23:50:00"), "ada@example.org")])
    day = period_of(at("23:50:00"), "daily")
    assert client.hkeys(crossing_key(PREFIX, day)) == [pseudonym.encode()]
    salt = client.get(salt_key(PREFIX, day))
    assert isinstance(salt, bytes)
    assert pseudonym == pseudonym_of("ada@example.org", salt)


def test_unavailable_redis_is_needed_only_for_a_new_salt() -> None:
    server = fakeredis.FakeServer()
    clock = Clock()
    make = partial(Pseudonyms, fakeredis.FakeRedis(server=server), PREFIX, "daily", None, clock)
    pseudonyms = make()
    clicks = [click(at("12:00:00"))]
    before = pseudonyms.of(clicks)
    server.connected = False
    clock.now_ms += CONFIRM_MS
    assert pseudonyms.of(clicks) == before
    with pytest.raises(redis.ConnectionError):
        make().of(clicks)
