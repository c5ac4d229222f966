"""Which partitions a member owns, step by step, and which records of a poll it keeps."""

from shared.streams.kafka.owned_partitions import OwnedPartitions, Started

STARTED = Started(offset=5, end_offset=9, topic_id="old")


def reading(*partitions: int) -> OwnedPartitions:
    owned = OwnedPartitions()
    owned.assign(partitions)
    for partition in partitions:
        owned.open(partition)
        owned.start(partition, STARTED)
    return owned


def test_a_partition_is_pending_until_it_starts() -> None:
    owned = OwnedPartitions()
    owned.assign([2, 0])
    assert owned.pending == [0, 2]
    assert not owned.is_settled()
    owned.start(0, STARTED)
    assert (owned.pending, dict(owned.reading)) == ([2], {0: STARTED})
    assert (owned.wants(0), owned.wants(2), owned.wants(None)) == (True, False, False)


def test_only_partitions_that_the_listener_took_over_are_reported_as_revoked() -> None:
    owned = reading(0, 1)
    owned.assign([2, 3])
    owned.open(3)  # and starting it failed
    assert owned.revoke([3, 2, 1, 7]) == [1, 3]
    assert (owned.pending, list(owned.reading), owned.any) == ([], [0], {0})


def test_a_kept_partition_is_open_and_not_read_until_it_is_assigned_or_revoked() -> None:
    owned = reading(0, 1)
    owned.assign([2])
    owned.keep([0, 1, 2])
    assert (owned.kept, owned.pending, list(owned.reading), owned.any) == ({0, 1}, [], [], {0, 1})
    assert not owned.is_settled()
    owned.assign([0])
    assert (owned.kept, owned.pending) == ({1}, [0])
    assert owned.revoke(owned.kept) == [1]
    assert owned.any == {0}


def test_records_fetched_before_a_revocation_in_the_same_poll_are_dropped() -> None:
    #   poll:  fetch 0   revoke 0   assign 0   start 0   fetch 0
    #   wanted:  no         -          -          -        yes
    owned = reading(0, 1)
    assert owned.is_settled()
    owned.revoke([0])
    assert not owned.is_settled()
    assert (owned.wants(0), owned.wants(1)) == (False, True)
    owned.assign([0])
    assert not owned.wants(0)
    owned.start(0, STARTED)
    assert owned.wants(0)


def test_a_poll_forgets_what_the_previous_one_lost() -> None:
    owned = reading(0, 1)
    owned.revoke([0])
    owned.begin_poll()
    assert owned.is_settled()
    assert not owned.wants(0)


def test_a_rewind_gives_nothing_up() -> None:
    owned = reading(0, 1)
    owned.rewind()
    assert (owned.pending, dict(owned.reading), owned.kept) == ([0, 1], {}, set())
    assert owned.revoke([0]) == [0]  # its state is open


def test_a_partition_of_an_older_topic_is_outdated() -> None:
    owned = reading(0)
    assert not owned.is_outdated("old")
    assert owned.is_outdated("new")
    owned.start(0, STARTED._replace(topic_id="new"))
    assert not owned.is_outdated("new")
    assert not OwnedPartitions().is_outdated("new")
