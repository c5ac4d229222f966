"""A line of each log format, as its server and a log shipper write it."""

import io
import json
from collections import Counter
from collections.abc import Callable

import msgspec
import pytest

from services.traffic.formats.choices import Choices, Format
from services.traffic.formats.entries import Entry, UnusableRecording
from services.traffic.formats.reading import read_entries
from shared.events.refusals import Reason, Refusal

AGENT = "Mozilla/5.0 (X11; Linux) Firefox/130.0"
TIME_MS = 1795687200000  # 2026-11-26T10:00:00Z
COMBINED = f'203.0.113.7 - - [26/Nov/2026:10:00:00 +0000] "GET /shoes HTTP/1.1" 200 512 "https://s.example/" "{AGENT}"'
NGINX: dict[str, object] = {
    "time_iso8601": "2026-11-26T10:00:00+00:00",
    "remote_addr": "203.0.113.7",
    "request": "GET /shoes HTTP/2.0",
    "status": "200",
    "http_user_agent": AGENT,
    "http_referer": "https://s.example/",
    "host": "shop.example",
    "scheme": "https",
}
ELSEWHERE = {
    "ts": TIME_MS / 1000,
    "clientip": "203.0.113.7:51544",
    "verb": "GET",
    "uri": "/shoes",
    "response": 200,
    "agent": AGENT,
    "referrer": "https://s.example/",
    "vhost": "shop.example:443",
}
ENVOY = {
    "start_time": "2026-11-26T10:00:00.000Z",
    "downstream_remote_address": "203.0.113.7:51544",
    "method": "GET",
    "path": "/shoes",
    "response_code": 200,
    "user-agent": AGENT,
    "authority": "shop.example",
}
CADDY: dict[str, object] = {
    "level": "info",
    "ts": 1795687200.0,
    "logger": "http.log.access.log0",
    "msg": "handled request",
    "request": {
        "remote_ip": "10.0.0.9",
        "client_ip": "203.0.113.7",
        "proto": "HTTP/2.0",
        "method": "GET",
        "host": "shop.example",
        "uri": "/shoes",
        "headers": {"User-Agent": [AGENT], "Referer": ["https://s.example/"]},
        "tls": {"resumed": False},
    },
    "duration": 0.001,
    "size": 10900,
    "status": 200,
}
TRAEFIK = {
    "ClientAddr": "203.0.113.7:5432",
    "ClientHost": "203.0.113.7",
    "DownstreamStatus": 200,
    "RequestAddr": "shop.example",
    "RequestMethod": "GET",
    "RequestPath": "/shoes",
    "RequestScheme": "https",
    "StartUTC": "2026-11-26T10:00:00.000000000Z",
    "request_User-Agent": AGENT,
    "request_Referer": "https://s.example/",
}
ALB = (
    "https 2026-11-26T10:00:00.000000Z app/shop/50dc6c 203.0.113.7:2817 10.0.0.1:80 0.086 0.048 0.037 200 200 0 57"
    f' "GET https://shop.example:443/shoes HTTP/1.1" "{AGENT}" ECDHE-RSA TLSv1.2 arn:aws:x "Root=1-58" "shop.example"'
)
HAPROXY = (
    "Nov 26 10:00:00 lb1 haproxy[14389]: 203.0.113.7:33317 [26/Nov/2026:10:00:00.000] https-in~ shop/srv1 10/0/30/69/1"
    f" 200 2750 - - ---- 1/1/1/1/0 0/0 {{shop.example|{AGENT}|https://s.example/}} {{}} "
    '"GET /shoes HTTP/1.1"'
)
IIS = f"""\
#Software: Microsoft Internet Information Services 10.0
#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port c-ip cs(User-Agent) cs(Referer) cs-host sc-status
2026-11-26 10:00:00 10.0.0.1 GET /shoes - 443 203.0.113.7 {AGENT.replace(" ", "+")} https://s.example/ shop.example 200
"""
_CLOUDFRONT = {
    "date": "2026-11-26",
    "time": "10:00:00",
    "x-edge-location": "LHR62-C2",
    "c-ip": "203.0.113.7",
    "cs-method": "GET",
    "cs(Host)": "d1.cloudfront.net",
    "cs-uri-stem": "/shoes",
    "sc-status": "200",
    "cs(Referer)": "https://s.example/",
    "cs(User-Agent)": AGENT.replace(" ", "%2520"),
    "cs-uri-query": "-",
    "x-host-header": "shop.example",
    "cs-protocol": "https",
}
CLOUDFRONT = f"#Version: 1.0\n#Fields: {' '.join(_CLOUDFRONT)}\n" + "\t".join(_CLOUDFRONT.values())
SITE = "https://shop.example"


def read(text: str, log_format: str | None = None) -> tuple[Format, list[Entry]]:
    found, entries = read_entries(io.BytesIO(text.encode()), "-", Choices(log_format=log_format), Counter())
    return found, list(entries)


def event_of(entries: list[Entry]) -> dict[str, object]:
    (document,) = [entry.document for entry in entries if isinstance(entry.document, bytes)]
    return msgspec.json.decode(document, type=dict[str, object])


@pytest.mark.parametrize(
    ("text", "found", "origin"),
    [
        pytest.param(COMBINED, Format.ACCESS_LOG, "", id="combined"),
        pytest.param(json.dumps(NGINX), Format.NGINX_JSON, SITE, id="nginx"),
        pytest.param(json.dumps(ELSEWHERE), Format.NGINX_JSON, SITE, id="other names"),
        pytest.param(json.dumps(ENVOY), Format.NGINX_JSON, SITE, id="envoy"),
        pytest.param(json.dumps(CADDY), Format.CADDY, SITE, id="caddy"),
        pytest.param(json.dumps(TRAEFIK), Format.TRAEFIK, SITE, id="traefik"),
        pytest.param(IIS, Format.W3C, SITE, id="iis"),
        pytest.param(CLOUDFRONT, Format.W3C, SITE, id="cloudfront"),
        pytest.param(ALB, Format.ALB, SITE, id="alb"),
        pytest.param(ALB.removeprefix("https "), Format.ALB, SITE, id="classic load balancer"),
        pytest.param(HAPROXY, Format.HAPROXY, SITE, id="haproxy"),
    ],
)
def test_each_format_is_detected_and_read(text: str, found: Format, origin: str) -> None:
    detected, entries = read(("" if found is Format.W3C else "starting, please wait\n") + text)
    event = event_of(entries)
    assert detected is found
    assert event.pop("referrer", "https://s.example/") == "https://s.example/"  # load balancers have none
    assert event == {
        "timestamp": TIME_MS,
        "userId": event_of(read(COMBINED)[1])["userId"],
        "ip": "203.0.113.7",
        "userAgent": AGENT,
        "url": origin + "/shoes",
        "productId": "/shoes",
    }


ENVELOPES: dict[str, Callable[[str], str]] = {
    "docker": lambda line: json.dumps({"log": line + "\n", "stream": "stdout", "time": "2026-11-26T10:00:01Z"}),
    "filebeat": lambda line: json.dumps({"@timestamp": "2026-11-26T10:00:01Z", "message": line, "host": {"name": "w"}}),
    "journald": lambda line: json.dumps({"MESSAGE": line, "_HOSTNAME": "web1", "PRIORITY": "6"}),
    "fluentd": lambda line: "2026-11-26T10:00:01+00:00\tweb\t" + json.dumps({"log": line, "kubernetes": {"pod": "w"}}),
    "cri": lambda line: "2026-11-26T10:00:01.123456789Z stdout F " + line,
    "compose": lambda line: "web-1  | " + line,
    "syslog": lambda line: "<190>Nov 26 10:00:01 10.0.0.5 web: " + line,
    "syslog with a mark": lambda line: "<190>1 2026-11-26T10:00:01Z 10.0.0.5 web 1 - - \ufeff" + line,
    "elasticdump": lambda line: json.dumps({"_index": "logs", "_source": {"message": line}}),
    "splunk": lambda line: json.dumps({"preview": False, "result": {"_raw": line}}),
    "graylog": lambda line: json.dumps({"version": "1.1", "host": "web", "short_message": line}),
    "second cell of a CSV": lambda line: '2026-11-26,"' + line.replace('"', '""') + '","{}"',
    "cell of a CSV": lambda line: '"' + line.replace('"', '""') + '"',
}


@pytest.mark.parametrize("line", [COMBINED, json.dumps(NGINX), json.dumps(CADDY), json.dumps(TRAEFIK), ALB, HAPROXY])
@pytest.mark.parametrize("envelope", ENVELOPES)
def test_a_line_is_read_in_any_envelope(line: str, envelope: str) -> None:
    assert event_of(read(ENVELOPES[envelope](line))[1]) == event_of(read(line)[1])


def test_each_line_that_json_wraps_is_read() -> None:
    entries = read(json.dumps({"log": f"{COMBINED}\n{COMBINED}\n", "stream": "stdout"}))[1]
    assert [event_of([entry]) for entry in entries] == [event_of(read(COMBINED)[1])] * 2


def test_apache_may_write_path_and_query_apart() -> None:
    apache = {"time": "26/Nov/2026:10:00:00 +0000", "remoteIP": "203.0.113.7", "request": "/shoes", "query": "?a=1"}
    event = event_of(read(json.dumps(apache | {"method": "GET", "status": "200", "userAgent": AGENT}))[1])
    assert (event["ip"], event["url"]) == ("203.0.113.7", "/shoes?a=1")


def test_nginx_escapes_that_are_no_json_are_read() -> None:
    event = event_of(read(json.dumps(NGINX | {"http_user_agent": "a QbQ"}).replace("Q", "\\x22"))[1])
    assert event["userAgent"] == 'a "b"'


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (json.dumps(NGINX | {"time_iso8601": "soon"}), Reason.BAD_TIMESTAMP),
        (json.dumps(NGINX | {"remote_addr": "unix:"}), Reason.MISSING_FIELD),
        (json.dumps(CADDY | {"ts": None}), Reason.BAD_TIMESTAMP),
        (ALB.replace("2026-11-26T10", "2026-13-26T10"), Reason.BAD_TIMESTAMP),
        (HAPROXY.replace("26/Nov/2026:10:00:00.000", "26/Nov/2026"), Reason.BAD_TIMESTAMP),
        (IIS.replace(" 200\n", "\n"), Reason.UNREADABLE_LINE),
        (IIS.replace("10:00:00 10", "10-00-00 10"), Reason.BAD_TIMESTAMP),
        ("#Version: 1.0\n" + IIS.splitlines()[2], Reason.UNREADABLE_LINE),
    ],
)
def test_a_line_that_lacks_something_is_refused(line: str, reason: Reason) -> None:
    refusal = read(line)[1][-1].document
    assert isinstance(refusal, Refusal)
    assert refusal.reason == reason


def test_directives_may_change_within_a_w3c_log() -> None:
    directives = "#Fields: time c-ip cs-method cs-uri-stem sc-status\n#Date: 2026-11-26 10:00:00\n"
    _, entries = read(IIS + directives + "10:00:00 203.0.113.8 GET /a 200")
    assert [isinstance(entry.document, bytes) for entry in entries] == [False, False, True, False, False, True]
    last = event_of(entries[-1:])
    assert (last["timestamp"], last["ip"], last["url"]) == (TIME_MS, "203.0.113.8", "/a")


@pytest.mark.parametrize(
    ("log_format", "line"),
    [
        ('%v:%p %h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i"', f"shop.example:443 {COMBINED}"),
        (
            '%t %D %{X-Forwarded-For}i %m %U%q %s "%{User-Agent}i" "%{Referer}i" %V',
            f'[26/Nov/2026:10:00:00 +0000] 12 203.0.113.7 GET /shoes 200 "{AGENT}" "https://s.example/" shop.example',
        ),
    ],
)
def test_any_format_of_apache_is_read_as_described(log_format: str, line: str) -> None:
    event = event_of(read(f"{line}\ngarbage\n", log_format)[1])
    assert event == event_of(read(json.dumps(NGINX))[1])


@pytest.mark.parametrize("log_format", ["%h %u", "nothing", '%h %t "%r" %Y', '$remote_addr [$time_local] "$request"'])
def test_a_log_format_that_says_too_little_is_refused(log_format: str) -> None:
    with pytest.raises(UnusableRecording, match="--log-format"):
        read(COMBINED, log_format)
