"""The W3C extended log of IIS, CloudFront and others: directives name the columns of the lines behind them.

    #Fields: date time cs-method cs-uri-stem cs-uri-query c-ip cs(User-Agent) cs(Referer) sc-status
    2026-10-10 11:55:36 GET /shoes size=41 192.0.2.1 Mozilla/5.0+(X11) https://search.example/ 200

Times are UTC. IIS separates fields by spaces and writes `+` for a space, CloudFront by tabs and escapes with `%20`.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import unquote

from services.traffic.formats.logs.log_times import parse_log_time_ms
from services.traffic.formats.logs.reading import Parse
from services.traffic.formats.logs.requests import Request, origin_of, status_of
from shared.events.refusals import Reason, Refusal

_FIELDS_DIRECTIVE: Final = "#fields:"
_DATE_DIRECTIVE: Final = "#date:"
_CELL: Final = re.compile(r'"([^"]*+)"|(\S++)')  # the standard quotes text with spaces
_UNESCAPE_TIMES: Final = 2  # CloudFront escapes the escape


def is_w3c_directive(line: str) -> bool:
    """Whether the line is a directive that only this format has."""
    return line.lower().startswith((_FIELDS_DIRECTIVE, "#version: ", "#software: microsoft internet information"))


def w3c_parser() -> Parse:
    """A parser of the lines of one log, where the last directives count."""
    columns: Sequence[str] = ()
    date = ""

    def parse(line: str) -> tuple[Request | Refusal | None, str]:
        nonlocal columns, date
        if line.startswith("#"):
            name, _, value = line.partition(" ")
            if name.lower() == _FIELDS_DIRECTIVE:
                columns = value.lower().split()
            elif name.lower() == _DATE_DIRECTIVE:
                date = value.strip().split(" ", 1)[0]
            return None, ""
        cells = line.split("\t") if "\t" in line else line.split()
        if len(cells) != len(columns) and '"' in line:
            cells = [quoted or bare for quoted, bare in _CELL.findall(line)]
        return _request_of_cells(cells, columns, date), ""

    return parse


def _request_of_cells(cells: Sequence[str], columns: Sequence[str], date: str) -> Request | Refusal:
    if not columns:
        return Refusal(Reason.UNREADABLE_LINE, "expected a #Fields: directive before the first request")
    if len(cells) != len(columns):
        return Refusal(Reason.UNREADABLE_LINE, f"{len(cells)} fields, but #Fields: names {len(columns)}")
    return _request(dict(zip(columns, cells, strict=True)), date)


def _request(fields: Mapping[str, str], date: str) -> Request | Refusal:
    def text(*names: str) -> str | None:
        return next((fields[name] for name in names if fields.get(name, "-") not in ("-", "")), None)

    moment = f"{fields.get('date', date)}T{fields.get('time', '')}Z"
    timestamp_ms = parse_log_time_ms(moment)
    if timestamp_ms is None:
        return Refusal(Reason.BAD_TIMESTAMP, f"expected date and time such as 2026-10-10 13:55:36, got {moment!r:.80}")
    target, query = text("cs-uri-stem", "cs-uri"), text("cs-uri-query")
    if target and query and "?" not in target:
        target = f"{target}?{query}"
    port = text("s-port", "cs-port")
    host = text("x-host-header", "cs-host", "cs(host)") or ""
    return Request(
        client=text("c-ip") or "-",
        timestamp_ms=timestamp_ms,
        method=text("cs-method"),
        target=target,
        status=status_of(text("sc-status") or ""),
        user_agent=_unescaped(text("cs(user-agent)")),
        referrer=_unescaped(text("cs(referer)")),
        origin=origin_of(f"{host}:{port}" if port and ":" not in host else host, text("cs-protocol")),
        forwarded=_unescaped(text("x-forwarded-for")),
    )


def _unescaped(text: str | None) -> str | None:
    if text is None:
        return None
    if "%20" not in text:
        text = text.replace("+", " ")
    for _ in range(_UNESCAPE_TIMES):
        text = unquote(text) if "%" in text else text
    return text
