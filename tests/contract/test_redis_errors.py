"""The errors of a real Redis tell what failed without the events and secrets that a command carries."""

import pytest
import redis

from shared.runtime.redis_client import connect


@pytest.mark.parametrize("transaction", [True, False])
def test_an_error_in_a_pipeline_names_the_key_and_nothing_that_is_stored(redis_url: str, *, transaction: bool) -> None:
    with connect(redis_url) as client:
        client.set("text", "x")
        pipeline = client.pipeline(transaction=transaction)
        pipeline.set("text", "fine")
        pipeline.hset("text", mapping={"visitor": "ada@shop.example"})
        with pytest.raises(redis.ResponseError) as error:
            pipeline.execute()
    assert "Command # 2 (HSET text)" in str(error.value)
    assert "ada" not in str(error.value)
