"""A transaction that stays open is noticed by the offsets of its partition."""

import json

from shared.status.health import Health
from shared.streams.kafka.open_transactions import OPEN_SECONDS, Ends, OpenTransactions, TransactionWatch

PLACE = ("click-data", 2)


def test_a_partition_that_grows_behind_an_open_transaction_is_found() -> None:
    watch = OpenTransactions()
    assert watch.look({PLACE: Ends(101, 100)}, 0) == {}
    assert watch.look({PLACE: Ends(150, 100)}, OPEN_SECONDS - 1) == {}
    assert watch.look({PLACE: Ends(150, 100)}, OPEN_SECONDS) == {PLACE: (100, OPEN_SECONDS)}
    assert watch.look({PLACE: Ends(150, 150)}, OPEN_SECONDS + 5) == {}


def test_short_transactions_one_after_another_are_not() -> None:
    watch = OpenTransactions()
    for second in range(0, 300, 5):
        assert watch.look({PLACE: Ends(100 * second + 50, 100 * second)}, second) == {}


def test_a_partition_that_does_not_grow_is_not() -> None:
    """Its offsets may just be old, because the client fetches nothing while its queue is full."""
    watch = OpenTransactions()
    for second in range(0, 300, 5):
        assert watch.look({PLACE: Ends(101, 100)}, second) == {}


def test_a_partition_that_moves_away_is_forgotten() -> None:
    watch = OpenTransactions()
    watch.look({PLACE: Ends(101, 100)}, 0)
    watch.look({}, 10)
    assert watch.look({PLACE: Ends(150, 100)}, 2 * OPEN_SECONDS) == {}


def statistics(second: int, end: int, stable: int, state: str = "active") -> str:
    partition = {"hi_offset": end, "ls_offset": stable, "fetch_state": state}
    other = {"hi_offset": -1001, "ls_offset": -1001, "fetch_state": "none"}
    return json.dumps(
        {"ts": second * 1_000_000, "topics": {"click-data": {"partitions": {"2": partition, "-1": other}}}}
    )


def test_health_names_the_partition_until_the_transaction_ends() -> None:
    health = Health("enrich")
    watch = TransactionWatch(health, "kafka:9092")
    for second in (0, 5, 40):
        watch.on_statistics(statistics(second, 101 + second, 100))
    report = health.report()
    assert report["status"] == "degraded"
    assert "click-data partition 2: a transaction has been open for 40 s" in str(report["failures"])
    command = (
        "kafka-transactions.sh --bootstrap-server kafka:9092 abort --topic click-data --partition 2 --start-offset"
    )
    assert str(report["failures"]["transactions"]).endswith(f"{command} 100")  # type: ignore[index] # a dict
    watch.on_statistics(statistics(45, 200, 200))
    assert health.report()["status"] == "healthy"


def test_a_partition_of_another_member_does_not_count() -> None:
    health = Health("enrich")
    watch = TransactionWatch(health, "kafka:9092")
    for second in (0, 5, 40):
        watch.on_statistics(statistics(second, 101 + second, 100, "none"))
    assert health.report()["status"] == "healthy"
