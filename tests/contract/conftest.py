"""Fixtures of the contract tests."""

from collections.abc import Iterator
from typing import Any

import fakeredis
import pytest

from shared.runtime.redis_client import connect


@pytest.fixture(params=["fake", "real"])
def client(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A client of an empty fake and of an empty real Redis: both pass the same tests."""
    if request.param == "fake":
        yield fakeredis.FakeRedis(server=fakeredis.FakeServer())
    else:
        with connect(request.getfixturevalue("redis_url")) as real:
            yield real
