"""Malformed raw events: mutations of good ones, the same for the same seed."""

import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, Final

NOW_MS: Final = 1_790_000_000_123
HUGE_BYTES: Final = 10_000_000

_FIELDS: Final = (
    *("timestamp", "userId", "productId", "ip", "userAgent", "original_timestamp", "gender", "age"),
    *("eventId", "eventType", "url", "referrer", "unheardOf"),
    *("value", "currency", "quantity", "orderId", "cost", "platform", "site"),
)
_NUMBERS: Final = (
    *("1e999", "-1e999", "1e308", "1e-400", "-0", "-0.0", "0.1", "1E+2", "9" * 400, "-" + "9" * 5000, "0." + "0" * 900),
    *("9223372036854775807", "9223372036854775808", "18446744073709551616", "-9223372036854775809", "1790000000.123"),
    *("NaN", "Infinity", "-Infinity", "nan", "01", "1.", ".5", "+1", "0x10", "1_000", "1e", "--1"),
)
_TEXTS: Final = (
    *("", " ", "\x00", "\x1b[2J", "\r\n\t", "\x7f\x85\u2028\u2029", "\ufeff", "\ufffe\uffff", "\U0010ffff"),
    *("שלום עולם", "مرحبا", "\u202egnp.exe\u202c", "\u2067abc", "e\u0301" * 50, "👩‍👩‍👧‍👦", "𝒳" * 30, "ﷺ", "Ⅷ٣४"),
    *("null", "NaN", "true", "[]", "{}", '"', "\\", "\\u0000", "%00", "../../etc/passwd", "'; DROP TABLE", "{{7*7}}"),
    *("2026-09-21T14:13:20Z", "2026-13-45", "0000-00-00T00:00:00", "9999-12-31T23:59:60+99:99", "1790000000", "٣٣٣"),
    *("8.8.8.8:80", "8.8.8.8, 1.1.1.1", "::ffff:8.8.8.8", "fe80::1%eth0", "2001:db8::1", "256.1.1.1", "0x8080808"),
)
_ESCAPES: Final = (r"\ud800", r"\udc00\ud800", r"\u0000", r"\x41", r"\u12", r"\uD83D\uDE00", "\\", r"\/", r"\v")
_AGENT: Final = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"

Fields = dict[str, Any]


def mutated_events(seed: int) -> Iterator[bytes]:
    """Endless raw values: most are mutated once or twice, some are good."""
    random = Random(seed)
    while True:
        value = random.choice(_MUTATIONS)(random, _good(random))
        if random.random() < 0.1:
            value = random.choice(_OF_BYTES)(random, value)
        yield value


def _good(random: Random) -> Fields:
    fields: Fields = {
        "timestamp": NOW_MS - random.randrange(3_600_000),
        "userId": f"user{random.randrange(200)}",
        "ip": f"81.2.{random.randrange(256)}.{random.randrange(256)}",
        "userAgent": _AGENT,
    }
    if random.random() < 0.5:
        fields |= {"productId": f"V{random.randrange(50)}", "url": "https://shop.example/vase?q=größe", "age": 34}
    return fields


def _written(fields: Fields) -> bytes:
    return json.dumps(fields, ensure_ascii=False).encode("utf-8", "surrogatepass")


# --- mutations of the fields -----------------------------------------------------------------------------------------


def _as_it_is(_: Random, fields: Fields) -> bytes:
    return _written(fields)


def _missing_field(random: Random, fields: Fields) -> bytes:
    del fields[random.choice(list(fields))]
    return _written(fields)


def _odd_type(random: Random, fields: Fields) -> bytes:
    odd: tuple[Any, ...] = (None, True, False, 0, -1, 1.5, "", "x", [], [1], {}, {"a": 1}, [[]], [None], "1", 10**30)
    fields[random.choice(_FIELDS)] = random.choice(odd)
    return _written(fields)


def _odd_number(random: Random, fields: Fields) -> bytes:
    return _with_literal(random, fields, random.choice(_NUMBERS))


def _odd_text(random: Random, fields: Fields) -> bytes:
    fields[random.choice(_FIELDS)] = random.choice(_TEXTS) * random.choice((1, 1, 1, 3, 40))
    return _written(fields)


def _odd_escape(random: Random, fields: Fields) -> bytes:
    return _with_literal(random, fields, f'"{random.choice(_ESCAPES)}"')


def _odd_name(random: Random, fields: Fields) -> bytes:
    fields[random.choice(_TEXTS)] = fields.pop(random.choice(list(fields)))
    return _written(fields)


def _odd_agent(random: Random, fields: Fields) -> bytes:
    words = _AGENT.split() + list(_TEXTS)
    fields["userAgent"] = " ".join(random.choices(words, k=random.randrange(1, 12)))
    return _written(fields)


def _any_timestamp(random: Random, fields: Fields) -> bytes:
    fields["timestamp"] = random.choice((1, -1)) * int(10 ** random.uniform(0, 25))
    return _written(fields)


def _duplicate_keys(random: Random, fields: Fields) -> bytes:
    other = _good(random) | {random.choice(_FIELDS): random.choice((None, 1, "x", []))}
    return _written(fields)[:-1] + b", " + _written(other)[1:]


def _deep_nesting(random: Random, fields: Fields) -> bytes:
    depth = int(10 ** random.uniform(1, 4.5))
    opening, closing = random.choice((("[", "]"), ('{"a":', "}")))
    nest = opening * depth + "1" + closing * random.choice((depth, depth, depth - 1))
    return nest.encode() if random.random() < 0.2 else _with_literal(random, fields, nest)


def _long_text(random: Random, fields: Fields) -> bytes:
    size = HUGE_BYTES if random.random() < 0.01 else int(10 ** random.uniform(2, 5.5))
    fields[random.choice(_FIELDS)] = random.choice("xß𝒳\\\x00\u202e") * (size // random.choice((1, 2, 4)))
    return _written(fields)


def _no_object(random: Random, fields: Fields) -> bytes:
    document: Any = random.choice((None, True, 1, 1.5, "text", [], [fields], [fields] * 3, {}, {"a": fields}))
    return _written(document)


def _with_literal(random: Random, fields: Fields, literal: str) -> bytes:
    name = random.choice(_FIELDS)
    rest = {key: value for key, value in fields.items() if key != name}
    return f'{{"{name}": {literal}, {json.dumps(rest)[1:]}'.encode()


# --- mutations of the bytes ------------------------------------------------------------------------------------------


def _truncated(random: Random, value: bytes) -> bytes:
    return value[: random.randrange(len(value) + 1)]


def _flipped(random: Random, value: bytes) -> bytes:
    flipped = bytearray(value)
    for _ in range(random.randrange(1, 4)):
        if flipped:
            flipped[random.randrange(len(flipped))] = random.randrange(256)
    return bytes(flipped)


def _not_utf8(random: Random, value: bytes) -> bytes:
    bad = random.choice((b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xe2\x82", b"\x80"))
    place = random.randrange(len(value) + 1)
    return value[:place] + bad + value[place:]


def _spliced(random: Random, value: bytes) -> bytes:
    other = _written(_good(random))
    return value[: random.randrange(len(value) + 1)] + other[random.randrange(len(other)) :]


def _surrounded(random: Random, value: bytes) -> bytes:
    around = (b"\xef\xbb\xbf", b" \n", b"\x00", b"\xff\xfe", b",", b"}", b"\x1f\x8b")
    return random.choice(around) + value if random.random() < 0.5 else value + random.choice(around)


def _utf16(_: Random, value: bytes) -> bytes:
    return value.decode("utf-8", "replace").encode("utf-16")


def _noise(random: Random, _: bytes) -> bytes:
    return random.randbytes(random.randrange(60))


_Mutation = Callable[[Random, Fields], bytes]

_OF_BYTES: Final[tuple[Callable[[Random, bytes], bytes], ...]] = (
    *(_truncated, _flipped, _not_utf8, _spliced, _surrounded, _utf16, _noise),
)


def _of_bytes(mutate: Callable[[Random, bytes], bytes]) -> _Mutation:
    return lambda random, fields: mutate(random, _written(fields))


_MUTATIONS: Final[tuple[_Mutation, ...]] = (
    *(_as_it_is, _as_it_is, _missing_field, _odd_type, _odd_type, _odd_number, _odd_number, _odd_text, _odd_text),
    *(_odd_escape, _odd_name, _odd_agent, _any_timestamp, _duplicate_keys, _deep_nesting, _long_text, _no_object),
    *map(_of_bytes, _OF_BYTES),
)
