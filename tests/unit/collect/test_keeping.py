"""How many bytes of malformed requests are kept."""

from structlog.testing import capture_logs

from services.collect.keeping import STRANGERS, Keeping
from shared.events.dead_letters import NewDeadLetter
from shared.status.gauges import Gauges
from shared.status.health import Health

LETTER = NewDeadLetter("click-data-dlq", None, bytes(1000), (("reason", b"not_json"),))


def test_a_burst_is_kept_then_as_much_as_the_rate_allows() -> None:
    gauges, health = Gauges(), Health("collect")
    keeping = Keeping(100, gauges, health)  # 6,000 bytes at once, then a letter each 10 s
    kept = [now for now in range(60) if keeping.may_keep(LETTER, STRANGERS, float(now))]
    assert kept == [*range(6), 10, 20, 30, 40, 50]
    assert gauges.dead_letters_not_kept == {"not_json": 60 - len(kept)}


def test_the_health_is_good_again_after_a_minute_in_which_all_were_kept() -> None:
    health = Health("collect")
    keeping = Keeping(20, Gauges(), health)
    with capture_logs() as logs:
        for now in (0.0, 1.0, 2.0):
            keeping.may_keep(LETTER, STRANGERS, now)
        keeping.note_time(61.0)
        assert "dead_letters" in health.troubles()
        assert health.is_working("dead_letters")
        keeping.note_time(62.0)
        assert "dead_letters" not in health.troubles()
    assert [line["log_level"] for line in logs] == ["warning", "info"]
