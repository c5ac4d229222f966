"""A part of `make fuzz`."""

from tests.fuzz.collect import fuzz


def test_mutated_requests_are_answered_and_accounted_for() -> None:
    statuses = fuzz(634_958, 20_000)
    assert statuses.total() == 20_000
    assert min(statuses[200] + statuses[202], statuses[400]) > 5_000
