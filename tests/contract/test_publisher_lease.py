"""The publisher's lease on fakeredis and on a real Valkey: one holder, and no write after losing it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import fakeredis
import pytest
import redis

from services.aggregate.publishing.lease import LeaseLost, PublisherLease
from shared.runtime.redis_client import connect
from tests.support.polling import eventually
from tests.support.servers.server_process import free_port
from tests.support.servers.valkey import running_valkey

Client = Any  # redis-py's stubs make every reply an awaitable or a value

KEY = "site:aggregate:publisher"


@pytest.fixture(params=["fake", "real"])
def new_client(request: pytest.FixtureRequest) -> Iterator[Callable[[], Client]]:
    """Connections to one server, one per replica."""
    server = fakeredis.FakeServer()
    url = "" if request.param == "fake" else request.getfixturevalue("redis_url")
    with ExitStack() as stack:
        yield lambda: stack.enter_context(connect(url) if url else fakeredis.FakeRedis(server=server))


def lease(client: Client, token: str, seconds: float = 60.0) -> PublisherLease:
    return PublisherLease(client, KEY, token, seconds)


def expire(client: Client) -> None:
    """End the lease as its time would: waiting for a short one fails where the machine pauses us as long."""
    client.pexpire(KEY, 1)
    eventually(lambda: not client.exists(KEY), "expired")


def publish(holder: PublisherLease, number: int) -> None:
    with holder.transaction() as pipeline:
        pipeline.set("number", number)


def test_one_at_a_time_holds_it(new_client: Callable[[], Client]) -> None:
    first, second = lease(new_client(), "first"), lease(new_client(), "second")
    assert first.try_hold()
    assert not second.try_hold()
    assert first.try_hold()


def test_one_of_many_that_try_at_once_gets_it(new_client: Callable[[], Client]) -> None:
    leases = [lease(new_client(), f"replica {number}") for number in range(8)]
    with ThreadPoolExecutor(len(leases)) as threads:
        assert sum(threads.map(PublisherLease.try_hold, leases)) == 1


def test_holding_and_publishing_renew_it(new_client: Callable[[], Client]) -> None:
    client = new_client()
    holder = lease(client, "first")
    holder.try_hold()
    client.pexpire(KEY, 20_000)
    assert holder.try_hold()
    assert 40_000 < client.pttl(KEY) <= 60_000
    client.pexpire(KEY, 20_000)
    publish(holder, 1)
    assert 40_000 < client.pttl(KEY) <= 60_000
    assert client.get("number") == b"1"


def test_the_lease_of_a_dead_holder_expires(new_client: Callable[[], Client]) -> None:
    successor = lease(new_client(), "second")
    assert lease(new_client(), "first", 0.05).try_hold()
    eventually(successor.try_hold, "taken over")
    publish(successor, 2)


def test_one_that_never_held_it_writes_nothing(new_client: Callable[[], Client]) -> None:
    client = new_client()
    with pytest.raises(LeaseLost, match="free"):
        publish(lease(client, "first"), 1)
    lease(client, "first").try_hold()
    with pytest.raises(LeaseLost, match="held by another"):
        publish(lease(client, "second"), 2)
    assert client.get("number") is None


def test_a_holder_paused_before_its_transaction_does_not_write_over_its_successor(
    new_client: Callable[[], Client],
) -> None:
    client = new_client()
    paused, successor = lease(new_client(), "first"), lease(new_client(), "second")
    assert paused.try_hold()
    expire(client)
    assert successor.try_hold()
    publish(successor, 2)
    with pytest.raises(LeaseLost):
        publish(paused, 1)
    assert not paused.try_hold()
    assert client.get("number") == b"2"
    assert client.get(KEY) == b"second"


def test_a_holder_paused_within_its_transaction_does_not_write_over_its_successor(
    new_client: Callable[[], Client],
) -> None:
    client = new_client()
    paused, successor = lease(new_client(), "first"), lease(new_client(), "second")
    assert paused.try_hold()
    with pytest.raises(LeaseLost, match="expired or was taken"), paused.transaction() as pipeline:  # noqa: PT012
        pipeline.set("number", 1)
        expire(client)
        assert successor.try_hold()
        publish(successor, 2)
    assert client.get("number") == b"2"
    assert client.get(KEY) == b"second"


def test_a_holder_paused_while_its_successor_held_and_released_it_does_not_write(
    new_client: Callable[[], Client],
) -> None:
    client = new_client()
    paused, successor = lease(new_client(), "first"), lease(new_client(), "second")
    assert paused.try_hold()
    expire(client)
    assert successor.try_hold()
    publish(successor, 2)
    successor.release()
    with pytest.raises(LeaseLost):
        publish(paused, 1)
    assert client.get("number") == b"2"
    assert paused.try_hold()  # and publishes newer numbers from now on
    publish(paused, 3)


def test_a_block_that_fails_writes_nothing(new_client: Callable[[], Client]) -> None:
    client = new_client()
    holder = lease(client, "first")
    holder.try_hold()
    with pytest.raises(ZeroDivisionError), holder.transaction() as pipeline:
        pipeline.set("number", 1 // 0)
    assert client.get("number") is None
    publish(holder, 2)


def test_a_released_lease_is_free_at_once(new_client: Callable[[], Client]) -> None:
    first, second = lease(new_client(), "first"), lease(new_client(), "second")
    first.try_hold()
    second.release()  # not the holder: no effect
    assert not second.try_hold()
    first.release()
    assert second.try_hold()
    first.release()
    assert not first.try_hold()


@pytest.mark.parametrize("use", [PublisherLease.try_hold, PublisherLease.release, lambda lease: publish(lease, 1)])
def test_without_redis_its_error_is_raised(use: Callable[[PublisherLease], object]) -> None:
    with connect(f"redis://127.0.0.1:{free_port()}/0") as client, pytest.raises(redis.ConnectionError):
        use(lease(client, "first"))


def test_a_connection_lost_within_the_transaction_is_not_a_lost_lease(tmp_path: Path) -> None:
    port = free_port()
    with connect(f"redis://127.0.0.1:{port}/0") as client, ExitStack() as server:
        server.enter_context(running_valkey(tmp_path, port))
        holder = lease(client, "first")
        assert holder.try_hold()
        with pytest.raises(redis.ConnectionError), holder.transaction() as pipeline:  # noqa: PT012
            pipeline.set("number", 1)
            server.close()
