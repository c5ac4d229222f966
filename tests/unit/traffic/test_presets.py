"""Presets: small samples in the true layouts of public data sets."""

import json
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from services.traffic import replay_options
from services.traffic.formats.entries import SkipReason, UnusableRecording
from services.traffic.formats.presets import Preset
from services.traffic.formats.visitors import visitor_of
from services.traffic.replay import Replay
from services.traffic.sending import Outbox
from services.traffic.tally import Tally
from shared.events.refusals import Reason
from shared.status.health import Health
from tests.support.fakes.memory_producer import MemoryProducer

Row = dict[str, Any]

RETAILROCKET = """\
timestamp,visitorid,event,itemid,transactionid
1433221332117,257597,view,355908,
1433224214164,992329,addtocart,248676,
1433222276276,599528,transaction,356475,4000
"""
REES46 = """\
event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session
2019-10-01 00:00:00 UTC,view,44600062,2103807459595387724,,shiseido,35.79,541312140,72d76fde-8bb3-4e00-8c23-a032dfed738c
2019-10-01 00:00:01 UTC,cart,3900821,2053013552326770905,appliances.environment.water_heater,aqua,33.20,554748717,9333
2019-10-01 00:02:14 UTC,purchase,1004856,2053013555631882655,electronics.smartphone,samsung,130.76,543272936,8187d148
"""
YOOCHOOSE = """\
1,2014-04-07T10:51:09.277Z,214536502,0
1,2014-04-07T10:54:09.868Z,214536500,S
"""


CLOUDFRONT = """\
#Version: 1.0
#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent) \
cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken \
x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type cs-protocol-version fle-status \
fle-encrypted-fields c-port time-to-first-byte x-edge-detailed-result-type sc-content-type sc-content-len \
sc-range-start sc-range-end
""" + "".join(
    "\t".join(
        f"2019-12-04 21:02:{second:02} LAX1 392 192.0.2.100 {method} d111111abcdef8.cloudfront.net {path} {status} "
        "https://search.example/ Mozilla/5.0%20(Windows%20NT%2010.0) size=41 - Hit SOX4xwn4XV6Q4rgb7XiVGOHms_BGlTAC== "
        "shop.example https 23 0.001 - TLSv1.2 ECDHE-RSA-AES128-GCM-SHA256 Hit HTTP/2.0 - - 11040 0.001 Hit text/html "
        "78 - -".split()
    )
    + "\n"
    for second, method, path, status in [
        (31, "GET", "/shoes", 200),
        (32, "GET", "/logo.png", 200),
        (33, "POST", "/cart", 200),
        (34, "GET", "/wp-login.php", 404),
    ]
)


def ga4(name: str, *items: str, user: str | None = "1026454.4271112504", **parameters: str) -> str:
    return json.dumps(
        {
            "event_date": "20201201",
            "event_timestamp": "1606780800000000",
            "event_name": name,
            "event_params": [
                {"key": "ga_session_id", "value": {"string_value": None, "int_value": "661084800"}},
                *({"key": key, "value": {"string_value": text, "int_value": None}} for key, text in parameters.items()),
            ],
            "user_pseudo_id": user,
            "user_id": None,
            "device": {"category": "mobile", "web_info": {"browser": "Chrome"}},
            "geo": {"country": "Norway"},
            "items": [{"item_id": item, "item_name": "Tee"} for item in items],
        }
    )


def replayed(content: str, tmp_path: Path, *arguments: str) -> tuple[list[Row], Tally]:
    path = tmp_path / "recording"
    path.write_text(content)
    producer = MemoryProducer()
    outbox = Outbox(lambda: producer, "click-data", "memory", Event(), Health("replay"))
    replay = Replay(replay_options.parse([str(path), *arguments]), outbox, Event())
    replay.run()
    for event in producer.events:
        assert event.pop("eventId").startswith("recording:")
    events = [{name: value for name, value in event.items() if name != "eventId"} for event in producer.events]
    return events, replay.tally


@pytest.mark.parametrize(
    ("preset", "content", "expected"),
    [
        (
            "retailrocket",
            RETAILROCKET,
            [
                {"timestamp": "1433221332117", "userId": "257597", "productId": "355908", "eventType": "view"},
                {"timestamp": "1433224214164", "userId": "992329", "productId": "248676", "eventType": "addtocart"},
                {
                    "timestamp": "1433222276276",
                    "userId": "599528",
                    "productId": "356475",
                    "eventType": "transaction",
                    "orderId": "4000",
                },
            ],
        ),
        (
            "rees46",
            REES46,
            [
                {"userId": "541312140", "productId": "44600062", "eventType": "view"},
                {"userId": "554748717", "productId": "3900821", "eventType": "cart"},
                {"userId": "543272936", "productId": "1004856", "eventType": "purchase", "value": "130.76"},
            ],
        ),
        (
            "yoochoose",
            YOOCHOOSE,
            [
                {"timestamp": "2014-04-07T10:51:09.277Z", "userId": "1", "productId": "214536502"},
                {"timestamp": "2014-04-07T10:54:09.868Z", "userId": "1", "productId": "214536500"},
            ],
        ),
    ],
)
def test_a_public_data_set_is_read(preset: str, content: str, expected: list[Row], tmp_path: Path) -> None:
    events, tally = replayed(content, tmp_path, "--preset", preset)
    assert tally.refused_total == 0, tally.examples
    assert [{name: event[name] for name in wanted} for event, wanted in zip(events, expected, strict=True)] == expected
    assert [event.keys() - {"timestamp"} for event in events] == [wanted.keys() - {"timestamp"} for wanted in expected]


@pytest.mark.parametrize("arguments", [("--preset", "ga4-bigquery"), ()])
def test_ga4_events_are_read_and_those_of_ga4_itself_are_skipped(arguments: tuple[str, ...], tmp_path: Path) -> None:
    page = {"page_location": "https://shop.example/tee?a=1", "page_referrer": "https://search.example/"}
    content = "\n".join(
        [
            ga4("session_start", **page),
            ga4("page_view", **page),
            ga4("view_item", "SKU-1", page_location="https://shop.example/tee"),
            ga4("view_item_list", "SKU-1", "SKU-2"),
            ga4("add_to_cart", "(not set)"),
            ga4("page_view", user=None),
        ]
    )
    events, tally = replayed(content, tmp_path, *arguments)
    common = {"timestamp": "1606780800000000", "userId": "1026454.4271112504"}
    assert events == [
        {**common, "eventType": "page_view", "url": page["page_location"], "referrer": page["page_referrer"]},
        {**common, "eventType": "view_item", "productId": "SKU-1", "url": "https://shop.example/tee"},
        {**common, "eventType": "view_item_list"},
        {**common, "eventType": "add_to_cart"},
    ]
    assert dict(tally.skipped) == {SkipReason.AUTOMATIC: 1}
    assert dict(tally.refused) == {Reason.MISSING_FIELD: 1}
    assert tally.read == 6


def ga4_sale(name: str, ecommerce: Row | None, *parameters: Row) -> str:
    event = {**json.loads(ga4(name, "SKU-1", "SKU-2")), "ecommerce": ecommerce, "platform": "WEB"}
    event["event_params"] += [{"key": "currency", "value": {"string_value": "USD"}}, *parameters]
    return json.dumps(event)


def test_a_ga4_purchase_carries_its_revenue_and_a_refund_the_negative_amount(tmp_path: Path) -> None:
    value = {"key": "value", "value": {"string_value": None, "int_value": "12", "double_value": None}}
    precise = {"key": "value", "value": {"double_value": 0.1}}
    order = {"total_item_quantity": "3", "purchase_revenue": 42.5, "transaction_id": "T-7"}
    content = "\n".join(
        [
            ga4_sale("purchase", order),
            ga4_sale("purchase", {"purchase_revenue": None, "transaction_id": "(not set)"}, value),
            ga4_sale("refund", {"refund_value": 10.25, "transaction_id": "T-7"}),
            ga4_sale("refund", None, precise),
            ga4_sale("view_item", {"purchase_revenue": 5.0}, value),
            ga4_sale("purchase", {"purchase_revenue": "NaN"}),
        ]
    )
    events, tally = replayed(content, tmp_path, "--preset", "ga4-bigquery")
    assert tally.refused_total == 0
    money = {"value", "currency", "quantity", "orderId", "platform"}
    common = {"currency": "USD", "platform": "web"}
    assert [{name: event[name] for name in event.keys() & money} for event in events] == [
        {**common, "value": "42.5", "quantity": 3, "orderId": "T-7"},
        {**common, "value": "12"},
        {**common, "value": "-10.25", "orderId": "T-7"},
        {**common, "value": "-0.1"},
        {},
        common,
    ]


PRICED = """\
time,who,kind,price,pieces,order
1606780800000,a,view,19.99,,
1606780801000,a,purchase,39.98,2,o-1
1606780802000,a,purchase,NULL,1.0,o-2
"""


def test_money_is_mapped_and_read_only_from_sales(tmp_path: Path) -> None:
    names = {"time": "timestamp", "who": "userId", "kind": "eventType", "price": "value", "pieces": "quantity"}
    maps = [word for theirs, ours in names.items() for word in ("--map", f"{theirs}={ours}")]
    expected = [
        {"timestamp": "1606780800000", "userId": "a", "eventType": "view"},
        {
            "timestamp": "1606780801000", "userId": "a", "eventType": "purchase", "value": "39.98", "quantity": 2,
            "orderId": "o-1",
        },
        {"timestamp": "1606780802000", "userId": "a", "eventType": "purchase", "quantity": 1.0, "orderId": "o-2"},
    ]  # fmt: skip
    events, tally = replayed(PRICED, tmp_path, *maps, "--map", "order=orderId", "--sales", "purchase")
    assert (events, tally.refused_total) == (expected, 0)
    assert replayed(PRICED, tmp_path, *maps)[0][0]["value"] == "19.99"


def test_money_in_json_keeps_its_digits_and_is_read_only_from_sales(tmp_path: Path) -> None:
    lines = [
        b'{"timestamp":1606780800000,"userId":"a","eventType":"view","item":{"price":1e2}}',
        b'{"timestamp":1606780801000,"userId":"a","eventType":"purchase","item":{"price":0.30000000000000004}}',
    ]
    path = tmp_path / "recording"
    path.write_bytes(b"\n".join(lines))
    producer = MemoryProducer()
    outbox = Outbox(lambda: producer, "click-data", "memory", Event(), Health("replay"))
    options = replay_options.parse([str(path), "--map", "item.price=value", "--sales", "purchase"])
    Replay(options, outbox, Event()).run()
    view, purchase = (record.value for record in producer.records)
    assert b"value" not in view
    assert b'"value":0.30000000000000004' in purchase


@pytest.mark.parametrize("arguments", [("--format", "access-log"), ("--log-format", "%h %l %u %t"), ()])
def test_a_server_log_has_no_sales(
    arguments: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = '192.0.2.1 - - [22/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 5\n'
    with pytest.raises((SystemExit, UnusableRecording)) as refusal:
        replayed(line, tmp_path, "--sales", "purchase", *arguments)
    assert "--sales works with ndjson, csv and tsv" in capsys.readouterr().err + str(refusal.value)


def test_a_cloudfront_log_is_read(tmp_path: Path) -> None:
    ((event,), tally) = replayed(CLOUDFRONT, tmp_path, "--preset", "cloudfront")
    assert event == {
        "timestamp": 1575493351000,
        "userId": visitor_of("192.0.2.100", "Mozilla/5.0 (Windows NT 10.0)"),
        "ip": "192.0.2.100",
        "userAgent": "Mozilla/5.0 (Windows NT 10.0)",
        "url": "https://shop.example/shoes?size=41",
        "productId": "/shoes",
        "referrer": "https://search.example/",
    }
    assert tally.skipped == {SkipReason.ASSET: 1, SkipReason.NOT_GET: 1, SkipReason.FAILED: 1}


def test_a_map_overrides_a_preset(tmp_path: Path) -> None:
    events, _ = replayed(REES46, tmp_path, "--preset", "rees46", "--map", "user_session=userId")
    assert events[1]["userId"] == "9333"


@pytest.mark.parametrize(("preset", "content"), [("retailrocket", RETAILROCKET), ("rees46", REES46)])
def test_the_columns_of_a_known_layout_suggest_its_preset(preset: str, content: str, tmp_path: Path) -> None:
    if preset == Preset.RETAILROCKET:
        content = content.replace("timestamp,visitorid", "visitorid,timestamp")
    with pytest.raises(UnusableRecording, match=f"--preset {preset}"):
        replayed(content, tmp_path)


def test_another_layout_than_that_of_the_preset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnusableRecording, match="no column event_time to read timestamp from: the columns are"):
        replayed(RETAILROCKET, tmp_path, "--preset", "rees46")


def test_a_preset_says_the_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        replayed(REES46, tmp_path, "--preset", "rees46", "--format", "tsv")
    assert "leave out --format tsv" in capsys.readouterr().err
