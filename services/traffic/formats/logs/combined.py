r"""The combined access log of Apache and nginx, and the common one, which ends after the size.

    192.0.2.1 - frank [10/Oct/2026:13:55:36 +0200] "GET /shoes?size=41 HTTP/1.1" 200 2326 "https://…" "Mozilla/5.0 …"

A virtual host, the prefix of a log shipper or a list of addresses may stand before the client, other fields between and
behind these. The client is the last address before the time; where there is none, the field that a log has it in.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import islice, zip_longest
from typing import Final, NamedTuple

from services.traffic.formats.logs.clients import client_address, client_name, is_private_address
from services.traffic.formats.logs.log_times import parse_log_time_ms
from services.traffic.formats.logs.requests import Request, origin_of, split_request, status_of, unescaped
from shared.events.addresses import plain_address
from shared.events.refusals import Reason, Refusal

# Possessive quantifiers, so that a hostile line costs only linear time.
_QUOTED: Final = r'"([^"\\]*+(?:\\.[^"\\]*+)*+)"'
_PLAIN_LINE: Final = re.compile(
    rf"([0-9A-Fa-f.:]++) - \S++ \[([^\]]{{20,40}}+)\] {_QUOTED} ([0-9]{{3}}) (?:[0-9]++|-)"
    rf"(?: (?!\"[0-9.]++\"){_QUOTED} {_QUOTED}|(?= *+$))"
)
"""Nearly every line of most logs."""
_TIME: Final = re.compile(
    r"\[([0-9]{1,2}/[^\]/\s]{1,9}/[0-9]{4}[^\]]{0,30}|[0-9]{4}-[0-9]{2}-[0-9]{2}[^\]]{0,30}|[0-9]{9,19}(?:\.[0-9]{1,9})?)\]"
)
_ENDS_WITH_TIME: Final = re.compile(_TIME.pattern + r"\s*$")
_FIELD: Final = re.compile(rf"{_QUOTED}|(\S++)")
_NUMBER: Final = re.compile(r"[0-9]*\.?[0-9]+")
_IS_STATUS: Final = re.compile(r"[0-9]{3}")
_MOST_FIELDS: Final = 64
_MOST_TIMES: Final = 8
_CUT_OFF: Final = Refusal(Reason.UNREADABLE_LINE, "cut off by the next request on the same line")


class _Field(NamedTuple):
    """A field behind the time, where it ends in the line, and whether it was quoted."""

    text: str
    end: int
    is_quoted: bool


def parse_combined(line: str) -> tuple[Request | Refusal, str] | None:
    """The first request of a line, and the rest of the line where another one follows; None for another line."""
    if line.startswith('{"'):
        return None  # what JSON wraps is unwrapped first
    found = _PLAIN_LINE.match(line)
    if found is None or client_address(found[1]) is None:
        return _parse_any(line)
    rest = line[found.end() :]
    client, time, request, status, referrer, agent = found.groups()
    outcome = _request(client, "", time, request, status, referrer, agent, _quoted_in(rest) if rest else ())
    return outcome, rest if "[" in rest and _TIME.search(rest) else ""


def has_log_time(line: str) -> bool:
    """Whether a line has a time in brackets, as nearly every text log of a server has, also one that is not known."""
    return _TIME.search(line) is not None


def _parse_any(line: str) -> tuple[Request | Refusal, str] | None:
    times = list(islice(_TIME.finditer(line), _MOST_TIMES))
    for time, next_time in zip_longest(times, times[1:]):
        fields = _fields(line, time.end())
        place = _request_place(fields)
        behind = _behind(fields[place[1] + 1 :]) if place else None
        if place is None or behind is None:
            if next_time and '"' in line[time.end() : next_time.start()]:
                return _CUT_OFF, line[time.end() :]
            continue  # the time of a prefix
        at, status_at = place
        before, between = line[: time.start()].split(), [field.text for field in fields[:at]]
        texts, end = behind
        client, host = _client(before, between)
        pages = [text for text in texts if plain_address(text) is None]
        referrer, agent = _referrer_and_agent(pages)
        if not before and not between:
            client, agent, host = _behind_request(texts)
            referrer, texts = None, []
        addresses = [text for text in texts if text not in pages[:2]]
        outcome = _request(client, host, time[1], fields[at].text, fields[status_at].text, referrer, agent, addresses)
        rest = line[end:] if end >= 0 else ""
        return outcome, rest if _TIME.search(rest) else ""
    return None


def _request(
    client: str,
    host: str,
    time: str,
    request: str,
    status: str,
    referrer: str | None,
    agent: str | None,
    others: Sequence[str],
) -> Request | Refusal:
    timestamp_ms = parse_log_time_ms(time)
    if timestamp_ms is None:
        return Refusal(Reason.BAD_TIMESTAMP, f"expected a time such as [10/Oct/2026:13:55:36 +0200], got [{time}]")
    method, target = split_request(request)
    address = client_address(client)
    # nginx's own format ends with X-Forwarded-For, which tells the client behind a proxy.
    forwarded = (
        next((text for text in others if client_address(text)), None)
        if others and (address is None or is_private_address(address))
        else None
    )
    return Request(
        client=client,
        timestamp_ms=timestamp_ms,
        method=method,
        target=unescaped(target),
        status=status_of(status),
        user_agent=unescaped(agent),
        referrer=unescaped(referrer),
        origin=origin_of(host) if host else "",
        forwarded=forwarded,
    )


def _fields(line: str, start: int) -> list[_Field]:
    """The fields behind a time, up to the time of another request."""
    fields: list[_Field] = []
    for found in _FIELD.finditer(line, start):
        is_quoted = found[1] is not None
        # Quotes pair up wrongly behind a request that was cut off.
        if _ENDS_WITH_TIME.search(found[1][-64:]) if is_quoted else _TIME.match(line, found.start()):
            break
        fields.append(_Field(found[1] if is_quoted else found[2], found.end(), is_quoted))
        if len(fields) == _MOST_FIELDS:
            break
    return fields


def _request_place(fields: Sequence[_Field]) -> tuple[int, int] | None:
    """The places of the request and its status: a quoted field, and a number among the bare ones behind it."""
    for at, field in enumerate(fields):
        if not field.is_quoted:
            continue
        bare = list(_until_quoted(fields, at + 1))
        status = next((place for place in bare if _IS_STATUS.fullmatch(fields[place].text)), None)
        if status is None and bare and fields[bare[0]].text == "-":
            status = bare[0]
        if status is not None:
            return at, status
    return None


def _until_quoted(fields: Sequence[_Field], start: int) -> Iterator[int]:
    for place in range(start, len(fields)):
        if fields[place].is_quoted and not _NUMBER.fullmatch(fields[place].text):
            return
        yield place


def _behind(fields: Sequence[_Field]) -> tuple[list[str], int] | None:
    """The quoted texts behind the status up to the next request, and where the second of them, or the size, ends.

    None when a quoted text does not end. Numbers in quotes are times and sizes.
    """
    texts: list[str] = []
    pages = 0  # of the texts: referrer and user agent, which an address is not
    end = fields[0].end if fields else -1
    for field in fields:
        is_wanted = pages < 2
        if field.is_quoted and not _NUMBER.fullmatch(field.text):
            texts.append(field.text)
            if is_wanted and plain_address(field.text) is None:
                pages += 1
                end = field.end
        elif field.text.startswith('"') and not field.is_quoted and is_wanted:
            return None
    return texts, end


def _referrer_and_agent(texts: Sequence[str]) -> tuple[str | None, str | None]:
    if len(texts) == 1:
        return (texts[0], None) if "://" in texts[0][:12] else (None, texts[0])
    return (texts[0], texts[1]) if texts else (None, None)


def _behind_request(texts: Sequence[str]) -> tuple[str, str | None, str]:
    """Client, user agent and virtual host of a line that begins with its time, as of Envoy.

    They are `X-Forwarded-For`, the agent, a request id and the host. An address with a port is that of a server.
    """
    at = next((at for at, text in enumerate(texts) if plain_address(text.split(",", 1)[0].strip())), None)
    if at is None:
        return "-", None, ""
    _, agent, _, host = [*texts[at : at + 4], None, None, None][:4]
    return texts[at], agent, host or ""


def _quoted_in(rest: str) -> list[str]:
    return [field.text for field in _fields(rest, 0) if field.is_quoted]


def _client(before: list[str], between: list[str]) -> tuple[str, str]:
    """The client among the fields before the time, or else those between time and request; and the virtual host."""
    for place in range(len(before) - 1, -1, -1):
        # `10.0.0.5 nginx:` is the machine that syslog names.
        is_machine = place + 1 < len(before) and before[place + 1].endswith(":")
        if not is_machine and client_address(before[place]):
            first = place
            while first and (before[first - 1].endswith(",") or _is_behind(before, first)):
                first -= 1
            host = before[first - 1] if first else ""
            # Lighttpd writes the virtual host in place of the identity.
            return ", ".join(before[first : place + 1]), host or (before[place + 1] if place == len(before) - 3 else "")
    for field in between:
        if client_address(field):
            return field, before[-1] if before else ""
    return _named_client(before)


def _is_behind(before: Sequence[str], place: int) -> bool:
    """Whether an address is that of a proxy, and the field before it the `X-Forwarded-For` of its request."""
    if not is_private_address(before[place]) or plain_address(before[place - 1]) is None:
        return False
    is_list = place > 1 and before[place - 2].endswith(",")
    return is_list or not is_private_address(before[place - 1])


def _named_client(before: list[str]) -> tuple[str, str]:
    """The client where no field is an address: the one before identity and user."""
    if len(before) < 3:
        return (before[0] if before else "-"), ""
    if client_name(before[-3]):
        return before[-3], before[-4] if len(before) > 3 else ""
    has_name_of_words = before[1] == "-" != before[2]
    return (before[0] if has_name_of_words else before[-3]), ""
