"""The command lines of `generate` and `replay`, and generation into memory."""

import math
import os
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from threading import Event
from time import monotonic

import pytest

from services.traffic import generate, replay_options
from services.traffic.__main__ import main, main_generate, main_replay
from services.traffic.clock import now_ms
from services.traffic.formats.choices import Format
from services.traffic.sending import Outbox
from shared.events.raw import decode_raw
from shared.events.schema import RawEvent
from shared.status.health import Health
from tests.support.fakes.memory_producer import MemoryProducer

Command = Callable[[Sequence[str]], int]


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "clicks"
    path.write_bytes(b"")
    return str(path)


def test_replay_options_are_parsed(file: str) -> None:
    options = replay_options.parse([file, "--format", "tsv", "--map", "a=b=userId", "--map", "t=timestamp"])
    assert options.choices.format is Format.TSV
    assert options.choices.names == {"userId": "a=b", "timestamp": "t"}
    assert options.speed == math.inf
    assert replay_options.parse([file, "--speed", "60"]).speed == 60
    assert replay_options.parse(["-"]).file == "-"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--speed", "fast"], ("--speed", "60", "max")),
        (["--speed", "0"], ("--speed", "max")),
        (["--speed", "inf"], ("--speed", "max")),
        (["--format", "xml"], ("--format", "access-log")),
        (["--limit", "0"], ("--limit", "1000")),
        (["--map", "visitor"], ("--map", "visitor_id=userId")),
        (["--map", "visitor=user"], ("--map visitor=user", "userId")),
        (["--map", "a=userId", "--map", "b=userId"], ("--map", "one column")),
        (["--map", "a=userId", "--format", "access-log"], ("--map", "csv")),
        (["--refused", "/no/such/folder/file"], ("--refused", "/no/such/folder")),
    ],
)
def test_a_wrong_replay_option_is_named(
    arguments: list[str], named: tuple[str, ...], file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main_replay([file, *arguments])
    assert exit_info.value.code == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert all(word in message for word in named), message


@pytest.mark.parametrize("option", ["--shift-to-now", "--loop"])
def test_options_that_read_twice_are_refused_for_a_pipe(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(tmp_path / "pipe")
    for pipe in ("-", str(tmp_path / "pipe")):
        with pytest.raises(SystemExit) as exit_info:
            main_replay([pipe, option])
        assert exit_info.value.code == 2
        message = capsys.readouterr().err
        assert option in message
        assert "a pipe can be read only once" in message


def test_a_missing_file_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main_replay(["no-such-file"])
    assert exit_info.value.code == 2
    assert "no-such-file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--rate", "-5"], ("--rate", "0.5")),
        (["--rate", "nan"], ("--rate",)),
        (["--seed", "x"], ("--seed", "7")),
        (["--history", "2 hours"], ("--history", "2h")),
        (["--duration", "-1"], ("--duration",)),
        (["--count", "1.5"], ("--count", "1000")),
    ],
)
def test_a_wrong_generate_option_is_named(
    arguments: list[str], named: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main_generate(arguments)
    assert exit_info.value.code == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert all(word in message for word in named), message


@pytest.mark.parametrize("command", [main_generate, main_replay])
def test_a_wrong_setting_is_named(
    command: Command, file: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PARTITIONS", "none")
    assert command([file] if command is main_replay else []) == 2
    assert "PARTITIONS" in capsys.readouterr().err


def test_a_command_must_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dance"]) == 2
    assert "generate or replay" in capsys.readouterr().err


def test_lookups_are_written_without_a_log(tmp_path: Path) -> None:
    assert main_generate(["--lookups", str(tmp_path / "new"), "--visitors", "50"]) == 0
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"products.json", "shop.json", "visitors.ndjson"}
    assert main_generate(["--lookups", str(tmp_path / "new" / "products.json")]) == 2


def generated(*arguments: str, producer: MemoryProducer | None = None, stop: Event | None = None) -> list[RawEvent]:
    producer, stop = producer or MemoryProducer(), stop or Event()
    outbox = Outbox(lambda: producer, "click-data", "the log", stop, Health("generate"))
    generate.generate(generate.parse(arguments), outbox, stop)
    assert outbox.unsent == 0
    events = [decode_raw(record.value) for record in producer.records]
    assert [record.key for record in producer.records] == [e.userId.encode() for e in events if isinstance(e, RawEvent)]
    return [event for event in events if isinstance(event, RawEvent)]


def test_history_is_sent_at_once_and_live_clicks_follow_without_a_gap() -> None:
    began_ms, began = now_ms(), monotonic()
    events = generated("--rate", "40", "--visitors", "1000", "--history", "20m", "--duration", "1.5")
    seconds = monotonic() - began
    times = [event.timestamp for event in events]
    assert seconds < 15
    assert times == sorted(times)
    assert times[0] < began_ms - 1_195_000
    assert began_ms <= times[-1] <= now_ms()
    assert max(after - before for before, after in pairwise(times)) < 2000


def test_a_duration_of_zero_sends_only_the_past() -> None:
    began_ms = now_ms()
    events = generated("--rate", "10", "--visitors", "1000", "--history", "10m", "--duration", "0")
    assert len(events) > 1000
    assert events[-1].timestamp < now_ms()
    assert events[-1].timestamp >= began_ms - 10_000


def test_a_history_beyond_the_windows_is_reported() -> None:
    def summary(history: str) -> str:
        outbox = Outbox(MemoryProducer, "click-data", "the log", Event(), Health("generate"))
        arguments = ("--rate", "0.2", "--visitors", "1000", "--history", history, "--duration", "0")
        return generate.generate(generate.parse(arguments), outbox, Event())

    assert "were late: older than every window" in summary("10h")
    assert "late" not in summary("8h")


def test_the_count_ends_the_generator() -> None:
    assert len(generated("--rate", "10", "--history", "1h", "--count", "321")) == 321


def test_a_second_generator_repeats_the_same_clicks() -> None:
    arguments = ("--rate", "5", "--visitors", "1000", "--history", "10m", "--duration", "0")
    first, second = ({event.eventId: event for event in generated(*arguments)} for _ in range(2))
    both = first.keys() & second.keys()
    assert len(both) > 0.95 * len(first)
    assert all(first[event_id] == second[event_id] for event_id in both)


def test_live_clicks_are_sent_when_they_happen() -> None:
    late_ms: list[int] = []
    producer = MemoryProducer()
    seen = 0

    def look(length: int) -> None:
        nonlocal seen
        for record in producer.records[seen:length]:
            event = decode_raw(record.value)
            assert isinstance(event, RawEvent)
            late_ms.append(now_ms() - event.timestamp)
        seen = length

    producer = MemoryProducer(on_send=look)
    generated("--rate", "40", "--visitors", "1000", "--duration", "2s", producer=producer)
    assert len(late_ms) > 5
    assert 0 <= min(late_ms) < 500


def test_a_stop_ends_the_generator_at_once() -> None:
    stop = Event()
    producer = MemoryProducer(on_send=lambda _: stop.set())
    began = monotonic()
    assert generated("--rate", "20", "--history", "10m", producer=producer, stop=stop)
    assert monotonic() - began < 5
