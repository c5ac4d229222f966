"""Clicks of the soak: `python -m tests.attacks.soak.clicks SECONDS PAST_SECONDS [sells]`, set by the environment.

First appends PAST_SECONDS of enriched clicks, with the event time and arrival that they would have had. Then sends both
kinds at their rates for SECONDS: honest clicks and half of the hostile ones to RAW_TOPIC, the other hostile ones to
ENRICHED_TOPIC, because enrich takes category, title and country from its own lookups.
"""

import sys
import time
from collections.abc import Iterator
from itertools import count
from typing import Final

import msgspec

from benchmarks.past_clicks import append, take_times_of
from benchmarks.processes import answer, quieten_logs
from services.aggregate.settings import AggregateSettings
from services.traffic.lookups import products
from shared.events.enriched import encode_enriched
from shared.events.raw import encode_raw
from shared.events.schema import EnrichedEvent, RawEvent
from shared.runtime.process import spare_garbage_collector
from shared.runtime.settings import read_settings
from shared.streams.kafka.client import KafkaClients

HONEST: Final = 310  # clicks/s; one in ten is of a popular page, so that a million pages an hour are distinct
HOSTILE: Final = 150
PAGES: Final = 1_000_000
POPULAR: Final = 20
LOUD_EVERY: Final = 5
"""One of so many hostile clicks repeats a name, so that the lists show hostile ones."""
FORMS: Final = (
    "plain",
    "long-" + "ä" * 300,
    "\u202egnp.elif \u0645\u0631\u062d\u0628\u0627\u2066",
    "👩‍👩‍👧‍👦🏴‍☠️",
    "<img src=x onerror=alert(1)><script>alert(2)</script>",
    "control\x00\x07\x1b[31m\r\nline",
    "[text](javascript:alert(3)) **bold** $x^2$ :red[x] :material/home:",
    "\"'`&lt;{}%s",
)
_SLOT_SECONDS: Final = 0.05
_VISITORS: Final = 50_000
_ATTACKERS: Final = 200
_SALE_EVERY: Final = 200
_AGENT: Final = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/142.0.0.0 Safari/537.36"
_CATALOGUE: Final = products()


def honest(time_ms: int, number: int) -> RawEvent:
    """A visitor's click: of a popular page, or of the next of PAGES."""
    product = _CATALOGUE[number % len(_CATALOGUE)]["productId"] if number % 3 == 0 else None
    is_sale = number % _SALE_EVERY == 0
    page = f"popular-{number // 10 % POPULAR}" if number % 10 == 0 else f"page-{number % PAGES}"
    return RawEvent(
        timestamp=time_ms,
        userId=f"visitor-{number * 7_919 % _VISITORS}",
        eventId=f"h{number:x}",
        productId=product,
        ip=f"{11 + number % 180}.{number >> 8 & 255}.{number & 255}.7",
        userAgent=_AGENT,
        url=f"https://shop.example/{page}{'?utm_source=news&utm_medium=email&utm_campaign=brand' * (number % 7 == 0)}",
        referrer="https://www.google.com/",
        eventType="purchase" if is_sale else "page_view",
        value=f"{number % 500}.25" if is_sale else None,
        currency="EUR" if is_sale else None,
        orderId=f"order-{number:x}" if is_sale else None,
    )


def hostile(time_ms: int, number: int, *, sells: bool) -> RawEvent:
    """A click of which every name is new, or, once in LOUD_EVERY, one of FORMS. It may be an order."""
    text = _text(number)
    return RawEvent(
        timestamp=time_ms,
        userId=f"attacker-{number % _ATTACKERS}",
        eventId=f"a{number:x}",
        productId=f"p{text}"[:120],
        ip=f"{11 + number % 180}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
        userAgent=f"Agent/{text}",
        url=f"https://shop.example/{text}?utm_campaign={text}&utm_source=s{text}&utm_medium=m{text}"[:1_000],
        referrer=f"https://{number:x}.example/",
        eventType=f"type {text}"[:60],
        value="0.01" if sells else None,
        currency=("EUR", _letters(number))[number % 10 == 0],
        orderId=f"order {text}"[:120],
    )


def enriched(click: RawEvent, category: str | None, country: str) -> EnrichedEvent:
    """The click as enrich would write it, with this category and country."""
    return EnrichedEvent(
        click.timestamp,
        click.userId,
        userAgent=click.userAgent,
        productId=click.productId,
        category=category,
        title=category and f"title {category}",
        country=country,
        deviceType="Desktop",
        browser="Chrome",
        operatingSystem="Windows",
        eventId=click.eventId,
        eventType=click.eventType,
        url=click.url,
        referrer=click.referrer,
        value=msgspec.UNSET if click.value is None else click.value,
        currency=msgspec.UNSET if click.currency is None else click.currency,
        orderId=msgspec.UNSET if click.orderId is None else click.orderId,
    )


def enriched_honest(time_ms: int, number: int) -> EnrichedEvent:
    """An honest click with a category of twelve and a country of three."""
    click = honest(time_ms, number)
    return enriched(click, click.productId and f"category {number % 12}", ("Kenya", "France", "Japan")[number % 3])


def enriched_hostile(time_ms: int, number: int, *, sells: bool) -> EnrichedEvent:
    """A hostile click with a category and a country of its own."""
    text = _text(number)
    return enriched(hostile(time_ms, number, sells=sells), f"category {text}"[:200], f"country {text}"[:100])


def _text(number: int) -> str:
    form = FORMS[number // LOUD_EVERY % len(FORMS)]
    return form if number % LOUD_EVERY == 0 else f"{number:x} {form}"


def _letters(number: int) -> str:
    return "".join(chr(65 + number // 10 // 26**place % 26) for place in range(3))


class Numbers:
    """The numbers of the clicks that are due at each instant."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._all = count()
        self._next = 0

    def due(self, seconds: float) -> Iterator[int]:
        """Those not given yet, `seconds` after the start."""
        while self._next < seconds * self._rate:
            self._next += 1
            yield next(self._all)


def main(seconds: float, past_seconds: float, *, sells: bool) -> None:
    """Append and send the clicks, and report how many."""
    settings = read_settings(AggregateSettings)
    clients = KafkaClients(settings, client_id="clickpulse-soak")
    client = clients.producer()._producer  # noqa: SLF001 - see `produce`
    raw, own = settings.raw_topic, settings.enriched_topic
    spare_garbage_collector()
    visits, attacks = Numbers(HONEST), Numbers(HOSTILE)
    began, elapsed = time.time() - past_seconds, 0.0
    take_times_of(clients, own, "CreateTime")  # so that we set the arrival
    while began + elapsed < time.time():
        elapsed += _SLOT_SECONDS
        time_ms = int((began + elapsed) * 1000)
        for number in visits.due(elapsed):
            click = enriched_honest(time_ms, number)
            append(client, own, click.userId.encode(), encode_enriched(click), time_ms)
        for number in attacks.due(elapsed):
            click = enriched_hostile(time_ms, number, sells=sells)
            append(client, own, click.userId.encode(), encode_enriched(click), time_ms)
        client.poll(0)
    client.flush(60)
    take_times_of(clients, own, "LogAppendTime")
    answer({"filled": time.time(), "clicks": visits._next + attacks._next})  # noqa: SLF001
    ends_at = time.time() + seconds
    while (now := time.time()) < ends_at:
        time_ms = int(now * 1000)
        for number in visits.due(now - began):
            visit = honest(time_ms, number)
            append(client, raw, visit.userId.encode(), encode_raw(visit), time_ms)
        for number in attacks.due(now - began):
            if number % 2:
                attack = hostile(time_ms, number, sells=sells)
                append(client, raw, attack.userId.encode(), encode_raw(attack), time_ms)
            else:
                click = enriched_hostile(time_ms, number, sells=sells)
                append(client, own, click.userId.encode(), encode_enriched(click), time_ms)
        client.poll(0)
        time.sleep(_SLOT_SECONDS)
    client.flush(60)
    answer({"ended": time.time(), "clicks": visits._next + attacks._next})  # noqa: SLF001


if __name__ == "__main__":
    quieten_logs()
    main(float(sys.argv[1]), float(sys.argv[2]), sells="sells" in sys.argv[3:])
