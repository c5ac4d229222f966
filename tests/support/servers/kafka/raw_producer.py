"""Sends a record that no client library would send: its headers may have any bytes for a name."""

import socket
import struct
import time


def send_raw(broker: str, topic: str, value: bytes, headers: list[tuple[bytes, bytes]], key: bytes = b"k") -> None:
    """Append one record to partition 0 with a Produce request, version 3, and check the answer."""
    host, port = broker.split(":")
    request = struct.pack(">hhi", 0, 3, 1) + _text(b"raw") + struct.pack(">hhi", -1, -1, 10_000)
    batch = _batch(value, headers, key)
    request += struct.pack(">i", 1) + _text(topic.encode()) + struct.pack(">iii", 1, 0, len(batch)) + batch
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        with connection.makefile("rb") as reader:
            (length,) = struct.unpack(">i", reader.read(4))
            answer = reader.read(length)
    (error,) = struct.unpack_from(">h", answer, 4 + 4 + 2 + len(topic) + 4 + 4)
    assert error == 0, f"Kafka refuses the record: error {error}"


def _batch(value: bytes, headers: list[tuple[bytes, bytes]], key: bytes) -> bytes:
    record = b"\0" + _varint(0) + _varint(0) + _sized(key) + _sized(value) + _varint(len(headers))
    record += b"".join(_sized(name) + _sized(content) for name, content in headers)
    now_ms = time.time_ns() // 1_000_000
    body = struct.pack(">hiqqqhii", 0, 0, now_ms, now_ms, -1, -1, -1, 1) + _sized(record)
    rest = struct.pack(">ib", -1, 2) + struct.pack(">I", _crc32c(body)) + body
    return struct.pack(">qi", 0, len(rest)) + rest


def _text(text: bytes) -> bytes:
    return struct.pack(">h", len(text)) + text


def _sized(content: bytes) -> bytes:
    return _varint(len(content)) + content


def _varint(number: int) -> bytes:
    number <<= 1  # zigzag; none is negative here
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def _crc32c(content: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in content:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0x82F63B78 if crc & 1 else crc >> 1
    return crc ^ 0xFFFFFFFF
