"""Replies above the limit of a connection are refused, with hiredis and without; the client goes on working."""

from collections.abc import Iterator
from typing import Any

import pytest
import redis

from shared.runtime import redis_replies
from shared.runtime.redis_client import connect
from shared.runtime.redis_replies import ReplyTooLarge, is_wrong_type

LIMIT = 300_000


@pytest.fixture(params=["hiredis", "python"])
def client(request: pytest.FixtureRequest, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(redis_replies, "HIREDIS_AVAILABLE", request.param == "hiredis")
    with connect(redis_url, most_reply_bytes=LIMIT) as client:
        yield client


def test_large_texts_and_collections_are_refused(client: Any) -> None:
    client.set("text", b"x" * 2 * LIMIT)
    client.hset("hash", mapping={f"field {number}": "x" for number in range(30_000)})
    client.set("small", "ours")
    for _ in range(2):
        with pytest.raises(ReplyTooLarge):
            client.get("text")
        with pytest.raises(ReplyTooLarge):
            client.hgetall("hash")
        assert client.get("small") == b"ours"


def test_the_limit_is_for_each_reply(client: Any) -> None:
    client.set("text", b"x" * (LIMIT // 2))
    pipeline = client.pipeline(transaction=False)
    for _ in range(10):
        pipeline.get("text")
    assert len(pipeline.execute()) == 10
    pipeline = client.pipeline(transaction=True)  # whose reply is one
    for _ in range(10):
        pipeline.get("text")
    with pytest.raises(ReplyTooLarge):
        pipeline.execute()
    assert client.ping()


def test_a_wrong_type_is_told_from_other_errors(client: Any) -> None:
    client.set("text", "x")
    with pytest.raises(redis.ResponseError) as wrong:
        client.hgetall("text")
    assert is_wrong_type(wrong.value)
    pipeline = client.pipeline()
    pipeline.hset("text", "a", "b")
    with pytest.raises(redis.ResponseError) as wrong:
        pipeline.execute()
    assert is_wrong_type(wrong.value)
    with pytest.raises(redis.ResponseError) as other:
        client.execute_command("SET", "a", "WRONGTYPE", "WRONGTYPE")
    assert not is_wrong_type(other.value)
