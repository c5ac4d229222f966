"""What keeps clicks from the numbers, by the services' reports."""

import pytest

from services.dashboard.sources.failing_parts import failing_parts
from services.dashboard.sources.observations import FailingPart, Unreachable
from services.dashboard.sources.watch import Watched
from shared.status.replica_status import Trouble
from tests.support.samples.status import NOON_MS
from tests.support.samples.watched import NOW_MS, pipeline, reported, silent, watched

LOG_AWAY = Trouble("the event log is unavailable", NOON_MS - 9_000, fails=True)
LATER = Trouble("no broker", NOON_MS - 2_000, fails=True)
STARTING = {"start": Trouble("waiting", NOON_MS - 500, fails=True)}
FAILING_LOG = FailingPart("aggregate", "log", LOG_AWAY.since_ms, LOG_AWAY.reason)


@pytest.mark.parametrize(
    ("replicas", "found"),
    [
        (pipeline(), ()),
        (pipeline(watched(troubles={"log": LOG_AWAY})), (FAILING_LOG,)),
        (pipeline(watched(replica="a", troubles={"log": LATER}), watched(troubles={"log": LOG_AWAY})), (FAILING_LOG,)),
        (pipeline(watched("enrich", troubles={"input": Trouble("half", 0, fails=False)})), ()),  # degraded
        (pipeline(watched("detect", troubles={"log": LOG_AWAY})), ()),  # the numbers do not need it
        (pipeline(watched("enrich", troubles=STARTING)), (FailingPart("enrich", "start", NOON_MS - 500, "waiting"),)),
        (pipeline(watched("enrich", "a", troubles=STARTING), watched("enrich", "b")), ()),
        (pipeline(silent("enrich", "a", 9)), (FailingPart("enrich", None, NOW_MS - 9_000, ""),)),
        (pipeline(watched("enrich", state="stopped")), (FailingPart("enrich", None, NOON_MS, ""),)),
        (pipeline(silent("enrich", "a", 9), watched("enrich", "b")), ()),
        ([], ()),
    ],
)
def test_the_failing_parts_of_what_the_numbers_need(replicas: list[Watched], found: tuple[FailingPart, ...]) -> None:
    assert failing_parts(reported(replicas), NOW_MS) == found


def test_without_redis_nothing_is_said_about_the_services() -> None:
    assert failing_parts(Unreachable(NOW_MS, "away", None), NOW_MS) == ()
