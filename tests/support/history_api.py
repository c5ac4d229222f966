"""History with events in a real PostgreSQL, its API on a real socket, and the answers by brute force."""

import json
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from structlog.testing import capture_logs

from services.history.api.serving import api
from services.history.api.settings import ApiSettings
from services.history.rows import build_batch, row_of
from services.history.sql.migrating import migrate
from services.history.sql.store import Store
from shared.events.enriched import decode_enriched, encode_enriched
from shared.events.schema import EnrichedEvent
from shared.privacy.erasures import NO_ERASURES
from shared.status.health import Health
from shared.streams.event_log import Assignment, Record
from tests.support.polling import eventually
from tests.support.servers.server_process import free_port

Parameters = Mapping[str, str | Sequence[str]]


@dataclass(frozen=True)
class Answered:
    """What the API answers."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def said(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Client:
    """Asks the API."""

    port: int

    def get(self, path: str, headers: Mapping[str, str] | None = None, method: str = "GET") -> Answered:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=headers or {}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return Answered(answer.status, dict(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            return Answered(error.code, dict(error.headers), error.read())

    def ask(self, kind: str, headers: Mapping[str, str] | None = None, /, **parameters: Any) -> Answered:
        """`from_` stands for `from`."""
        query = urlencode({name.rstrip("_"): value for name, value in parameters.items()}, doseq=True)
        return self.get(f"/api/v1/{kind}?{query}", headers)

    def said(self, kind: str, /, **parameters: Any) -> Any:
        answered = self.ask(kind, **parameters)
        assert answered.status == 200, answered.body
        return answered.said


def store(
    url: str, events: Sequence[EnrichedEvent], now_ms: int, *, raw_days: int, today: date, first_offset: int = 0
) -> None:
    """Keep the events as the service does, and then drop the days that are past."""
    migrate(lambda: url)
    history = Store(lambda: url, "enriched")
    try:
        records = [
            Record(0, offset, now_ms, None, encode_enriched(own)) for offset, own in enumerate(events, first_offset)
        ]
        history.write(
            build_batch(records, decode_enriched, NO_ERASURES.erases),
            {0: history.claim(Assignment(0, 0, 1 << 40, "a"))},
        )
    finally:
        history.close()
    retire(url, raw_days=raw_days, today=today)


def retire(url: str, *, raw_days: int, today: date, minute_days: int = 400) -> None:
    """Drop the raw events and the minutes of days that are past."""
    history = Store(lambda: url, "enriched")
    try:
        history.retire(today, raw_days=raw_days, minute_days=minute_days)
    finally:
        history.close()


@contextmanager
def serving(
    url: str,
    *,
    keys_file: Path | None = None,
    seconds: float = 30,
    questions: int = 4,
    in_memory: bool = False,
) -> Iterator[Client]:
    """The API while the block runs. With `in_memory`, it has all raw events there before."""
    settings = ApiSettings(
        history_api_port=free_port(),
        history_api_seconds=seconds,
        history_api_questions=questions,
        history_columns_megabytes=64 if in_memory else 0,
        api_keys_file=keys_file,
    )
    client = Client(settings.history_api_port)
    with ExitStack() as stack:
        with capture_logs() as logs:
            stack.enter_context(api(settings, lambda: url, Health("history")))
            if in_memory:
                loaded = "all raw events are in memory"
                eventually(lambda: any(own["event"] == loaded for own in logs) or None, loaded)
        yield client


def counts(events: Sequence[EnrichedEvent]) -> dict[str, int]:
    """Views and distinct visitors."""
    return {"views": len(events), "visitors": len({own.userId for own in events})}


def between(events: Sequence[EnrichedEvent], start: datetime, end: datetime) -> list[EnrichedEvent]:
    return [own for own in events if start <= own.datetime < end]


def by_name(events: Sequence[EnrichedEvent], field: str) -> list[dict[str, Any]]:
    """A row for each name, the greatest first."""
    groups: dict[str, list[EnrichedEvent]] = defaultdict(list)
    for own in events:
        name = field_of(own, field)
        if name is not None:
            groups[name].append(own)
    rows = [{"name": name, **counts(own)} for name, own in groups.items()]
    return sorted(rows, key=lambda row: (-row["views"], row["name"]))


def field_of(event: EnrichedEvent, field: str) -> str | None:
    """As history stores it."""
    row = row_of(event)
    column = {"productId": "product", "deviceType": "device", "operatingSystem": "operating_system"}.get(field, field)
    value: str | None = row.event_type if field == "eventType" else getattr(row, column)
    return value


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)
