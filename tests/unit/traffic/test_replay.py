"""A replay from file to producer: every line is accounted for, with any input and any log failure."""

import gzip
import math
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from time import monotonic

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.aggregate.engine.windows import oldest_second
from services.traffic.ages import Uncounted, uncounted
from services.traffic.clock import now_ms
from services.traffic.formats.choices import Choices, Format
from services.traffic.formats.entries import UnusableRecording
from services.traffic.replay import Replay, replay
from services.traffic.replay_options import ReplayOptions
from services.traffic.sending import BATCH_RECORDS, Outbox
from shared.events.refusals import Reason
from shared.events.schema import MAX_EVENT_BYTES
from shared.events.time_units import HOUR_MS
from shared.status.gauges import Gauges
from shared.status.health import Health
from tests.support.fakes.memory_producer import MemoryProducer
from tests.support.polling import eventually

BASE = 1_795_000_000_000
PLAIN = ReplayOptions(
    file="",
    choices=Choices(),
    speed=math.inf,
    shift_to_now=False,
    loop=False,
    limit=None,
    refused=None,
)


class Run:
    """One replay into memory."""

    def __init__(self, options: ReplayOptions, producer: MemoryProducer | None = None) -> None:
        self.producer = producer or MemoryProducer()
        self.stop = Event()
        self.health = Health("replay")
        self.outbox = Outbox(lambda: self.producer, "click-data", "the log", self.stop, self.health)
        self.replay_options = options
        self.replay = Replay(options, self.outbox, self.stop)
        self.tally = self.replay.tally

    def run(self) -> "Run":
        self.replay.run()
        return self

    @property
    def is_accounted_for(self) -> bool:
        return self.tally.read == self.outbox.taken + self.tally.refused_total


def clicks(*times_ms: int) -> bytes:
    return b"".join(b'{"timestamp":%d,"userId":"u%d"}\n' % (time, number) for number, time in enumerate(times_ms))


def recording(tmp_path: Path, content: bytes, name: str = "clicks.ndjson") -> ReplayOptions:
    (tmp_path / name).write_bytes(content)
    return replace(PLAIN, file=str(tmp_path / name))


def test_events_are_keyed_by_visitor_and_in_order(tmp_path: Path) -> None:
    run = Run(recording(tmp_path, clicks(*range(BASE, BASE + 2500)))).run()
    assert [record.key for record in run.producer.records] == [b"u%d" % number for number in range(2500)]
    assert [event["timestamp"] for event in run.producer.events] == list(range(BASE, BASE + 2500))
    assert {record.topic for record in run.producer.records} == {"click-data"}


def test_the_gauges_count_sent_events_and_time_batches() -> None:
    gauges, producer = Gauges(), MemoryProducer()
    outbox = Outbox(lambda: producer, "click-data", "the log", Event(), Health("replay"), gauges)
    for number in range(1001):
        outbox.put(f"u{number}", b"{}")
    assert gauges.events == 1000  # one batch
    outbox.flush()
    assert gauges.events == outbox.sent == 1001
    assert gauges.batch_ms is not None


def test_bad_lines_are_refused_with_a_reason_and_the_replay_continues(tmp_path: Path) -> None:
    content = (
        b'{"timestamp":1795000000000,"userId":"a"}\n\nno json\n[]\n{"userId":"a"}\n{"timestamp":"soon","userId":"a"}\n'
        b'{"timestamp":1,"userId":{}}\n\xff\n' + b"x" * (MAX_EVENT_BYTES + 9) + b"\n \n" + clicks(BASE)
    )
    options = recording(tmp_path, content)
    refused = tmp_path / "refused"
    run = Run(replace(options, refused=refused)).run()
    assert (run.tally.read, run.outbox.sent, run.tally.blank) == (9, 2, 2)
    assert run.is_accounted_for
    assert {reason: line for reason, (line, _) in run.tally.examples.items()} == {
        Reason.NOT_JSON: 3,
        Reason.NOT_AN_OBJECT: 4,
        Reason.MISSING_FIELD: 5,
        Reason.BAD_TIMESTAMP: 6,
        Reason.WRONG_TYPE: 7,
        Reason.NOT_UTF8: 8,
        Reason.TOO_LARGE: 9,
    }
    assert refused.read_bytes().count(b"\n") == 7
    assert refused.read_bytes().startswith(b"no json\n[]\n")


def test_an_event_that_becomes_too_large_with_its_id_is_refused(tmp_path: Path) -> None:
    start = b'{"timestamp":1795000000000,"userId":"a","url":"'
    run = Run(recording(tmp_path, start + b"x" * (MAX_EVENT_BYTES - len(start) - 2) + b'"}\n')).run()
    assert run.tally.examples[Reason.TOO_LARGE][0] == 1
    assert run.is_accounted_for


line = st.one_of(st.binary(max_size=40), st.sampled_from([b'{"timestamp":1795000000000,"userId":"a"}', b"1,a", b'"']))


@given(st.lists(line), st.sampled_from([Format.NDJSON, Format.CSV, Format.TSV, Format.ACCESS_LOG]))
def test_every_line_is_accounted_for_with_any_bytes(lines: list[bytes], chosen: Format) -> None:
    # A blank line instead of a header, because the first bytes may look like those of a compressed file.
    header = {Format.CSV: b"timestamp,userId", Format.TSV: b"timestamp\tuserId"}.get(chosen, b" ")
    content = b"\n".join([header, *(text.translate(None, b"\r\n\0") for text in lines)])
    with TemporaryDirectory() as folder:
        run = Run(replace(recording(Path(folder), content), choices=Choices(chosen))).run()
    rows_of_several_lines = sum(  # a quoted cell of a CSV
        event["userId"].count("\n") for event in run.producer.events if chosen in (Format.CSV, Format.TSV)
    )
    assert run.is_accounted_for
    assert run.outbox.unsent == 0
    expected = len(content.removesuffix(b"\n").split(b"\n"))
    if chosen in (Format.NDJSON, Format.ACCESS_LOG):
        assert run.tally.read + run.tally.blank == expected
    else:
        assert run.tally.read + run.tally.blank + rows_of_several_lines <= expected - 1


def test_no_event_is_lost_while_the_log_is_unreachable(tmp_path: Path) -> None:
    producer = MemoryProducer(outages=2)
    run = Run(recording(tmp_path, clicks(*range(BASE, BASE + 3 * BATCH_RECORDS))), producer).run()
    ids = [event["eventId"] for event in producer.events]
    assert len(set(ids)) == 3 * BATCH_RECORDS == run.outbox.sent
    assert len(ids) == 4 * BATCH_RECORDS  # two half batches arrived twice, with the same ids
    assert run.health.report()["status"] == "healthy"


def test_unsent_events_are_accounted_for(tmp_path: Path) -> None:
    producer = MemoryProducer(outages=10**9)
    run = Run(recording(tmp_path, clicks(*range(BASE, BASE + 10))), producer)

    class Stopping(Health):
        def failing(self, part: str, reason: str) -> None:
            super().failing(part, reason)
            run.stop.set()

    run.outbox = Outbox(lambda: producer, "click-data", "the log", run.stop, Stopping("replay"))
    run.replay = Replay(recording(tmp_path, clicks(*range(BASE, BASE + 10))), run.outbox, run.stop)
    run.tally = run.replay.tally
    run.run()
    assert (run.outbox.sent, run.outbox.unsent, run.tally.read) == (0, 10, 10)
    assert "not sent" in run.tally.summary(0, 10, 1.0)


def test_the_last_event_lands_on_now(tmp_path: Path) -> None:
    times = [BASE, BASE + 50_000, BASE + 90_000, BASE + 70_000]  # the latest is not the last line
    before = now_ms()
    run = Run(replace(recording(tmp_path, clicks(*times)), shift_to_now=True)).run()
    events = run.producer.events
    assert before <= events[2]["timestamp"] <= now_ms()
    assert [event["original_timestamp"] for event in events] == times
    assert len({event["timestamp"] - event["original_timestamp"] for event in events}) == 1


def test_the_limit_ends_the_replay_and_defines_the_last_event(tmp_path: Path) -> None:
    options = recording(tmp_path, clicks(BASE, BASE + 1000, BASE + 10**9))
    before = now_ms()
    run = Run(replace(options, shift_to_now=True, limit=2)).run()
    assert run.outbox.sent == 2
    assert run.producer.events[1]["timestamp"] >= before


def test_a_loop_continues_to_the_limit_with_new_ids(tmp_path: Path) -> None:
    run = Run(replace(recording(tmp_path, clicks(BASE, BASE + 1)), loop=True, limit=5)).run()
    assert [event["userId"] for event in run.producer.events] == ["u0", "u1", "u0", "u1", "u0"]
    assert len({event["eventId"] for event in run.producer.events}) == 5


def test_a_loop_over_nothing_ends(tmp_path: Path) -> None:
    run = Run(replace(recording(tmp_path, b"\nno json\n"), choices=Choices(Format.NDJSON), loop=True)).run()
    assert (run.tally.read, run.tally.blank) == (1, 1)


def test_speed_keeps_the_proportions(tmp_path: Path) -> None:
    options = replace(recording(tmp_path, clicks(BASE, BASE + 3000, BASE + 2000, BASE + 6000)), speed=20.0)

    def is_paced() -> bool:
        sent_at: list[float] = []
        Run(options, MemoryProducer(on_send=lambda _: sent_at.append(monotonic()))).run()
        assert len(sent_at) == 3  # the out-of-order event is sent with the one before it
        first, second, third = sent_at
        return second - first == pytest.approx(0.15, abs=0.1) and third - first >= 0.28

    eventually(is_paced, "a run without a stall of the machine", 20)


def test_a_stop_during_a_long_wait_ends_at_once(tmp_path: Path) -> None:
    run = Run(replace(recording(tmp_path, clicks(BASE, BASE + 10**9)), speed=1.0))
    producer = MemoryProducer(on_send=lambda _: run.stop.set())
    run.producer = producer
    began = monotonic()
    run.run()
    assert monotonic() - began < 5
    assert (run.tally.read, run.outbox.sent) == (1, 1)
    assert run.is_accounted_for


@pytest.mark.parametrize("shift_to_now", [False, True])
def test_a_damaged_recording_is_sent_up_to_the_damage(tmp_path: Path, shift_to_now: bool) -> None:
    packed = gzip.compress(clicks(*range(BASE, BASE + 5000)))[:-500]
    options = replace(recording(tmp_path, packed, "clicks.gz"), shift_to_now=shift_to_now, loop=True)
    run = Run(options)
    exit_code, summary = replay(options, run.outbox, run.stop)
    assert exit_code == 1
    assert 1000 < run.outbox.sent < 5000
    assert f"{run.outbox.sent:,}" in summary


def test_a_recording_without_a_good_byte_is_damaged(tmp_path: Path) -> None:
    run = Run(recording(tmp_path, gzip.compress(clicks(BASE))[:12], "clicks.gz")).run()
    assert run.replay.damage is not None
    assert run.tally.read == 0


def test_an_unreadable_recording_is_reported_before_connecting_to_the_log(tmp_path: Path) -> None:
    def never() -> MemoryProducer:
        raise AssertionError

    outbox = Outbox(never, "click-data", "the log", Event(), Health("replay"))
    with pytest.raises(UnusableRecording):
        Replay(recording(tmp_path, b"garbage\n", "x"), outbox, Event()).run()


def test_the_summary_accounts_for_every_line(tmp_path: Path) -> None:
    options = recording(tmp_path, clicks(BASE) * 1234 + b"\nno json\n")
    run = Run(options)
    exit_code, summary = replay(options, run.outbox, run.stop)
    assert exit_code == 0
    rows = dict(row.split(maxsplit=1) for row in summary.splitlines())
    assert (rows["read"], rows["sent"], rows["refused"], rows["blank"]) == ("1,235", "1,234", "1", "1")
    assert rows["not_json"].startswith("1  e.g. line 1236: JSON is malformed")


@pytest.mark.parametrize(
    ("ages_hours", "shift_to_now", "expected", "way"),
    [
        ((48, 48, 47), False, {"late": 3}, "--shift-to-now"),
        ((48, 1, 0), False, {"late": 1}, "--shift-to-now"),
        ((-1, 0, 1), False, {"future": 1}, "--shift-to-now"),
        ((96, 48, 48), True, {"late": 1}, "--speed 1"),
        ((48, 48, 47), True, {}, None),
    ],
)
def test_events_that_no_figure_will_show_are_counted_with_the_remedy(
    ages_hours: tuple[int, ...], shift_to_now: bool, expected: dict[str, int], way: str | None, tmp_path: Path
) -> None:
    content = clicks(*(now_ms() - hours * HOUR_MS for hours in ages_hours))
    run = Run(replace(recording(tmp_path, content), shift_to_now=shift_to_now))
    _, summary = replay(run.replay_options, run.outbox, run.stop)
    rows = {words[0]: words[1:] for row in summary.splitlines() if (words := row.split())}
    assert {why: int(rows[why][0]) for why in ("late", "future") if why in rows} == expected
    assert way is None or all(way in " ".join(rows[why]) for why in expected)


@given(st.integers(0, 10**12), st.integers(-40_000, 90))
def test_late_is_what_aggregate_counts_as_late(arrival_s: int, ahead_s: int) -> None:
    timestamp_s = max(0, arrival_s + ahead_s)
    is_late = uncounted(timestamp_s * 1000, arrival_s * 1000 + 999) is Uncounted.LATE
    assert is_late == (timestamp_s < oldest_second(arrival_s))


@pytest.mark.parametrize("content", [b"", b"\n \n", b"no json\n"])
def test_a_replay_that_sends_nothing_fails(content: bytes, tmp_path: Path) -> None:
    run = Run(replace(recording(tmp_path, content), choices=Choices(Format.NDJSON)))
    exit_code, summary = replay(run.replay_options, run.outbox, run.stop)
    assert exit_code == 1
    assert summary.splitlines()[1].split() == ["sent", "0"]


def test_a_stop_before_the_first_line_is_clean(tmp_path: Path) -> None:
    run = Run(recording(tmp_path, clicks(BASE)))
    run.stop.set()
    assert replay(run.replay_options, run.outbox, run.stop)[0] == 0
