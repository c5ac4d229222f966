"""The result of `clickpulse prove` in Redis. Pure."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, get_args

from shared.rollups.codecs import Codec, number_of, real_of
from shared.rollups.rows import Row

Result = Literal["equal", "different", "not_compared"]
Source = Literal["log", "sql"]

_LATEST_MS: Final = 253_402_300_799_999
_LONGEST_BYTES: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """One comparison of the rollups in Redis with the event log, or with SQL. Times are epoch ms."""

    result: Result
    at_ms: int  # when it ended
    as_of_ms: int = 0  # the publish instant of the rollups; 0 when there were none
    keys: int = 0  # that were compared
    figures: int = 0
    events: int = 0  # that were read
    differences: int = 0  # figures
    seconds: float = 0.0  # how long it took
    note: str = ""  # the first difference, or why nothing was compared
    source: Source = "log"  # what was counted


def _encode(proof: Proof) -> dict[str, str]:
    texts = {name: str(value) for name, value in asdict(proof).items()}
    return {**texts, "note": proof.note.encode()[:_LONGEST_BYTES].decode("utf-8", "ignore")}


def _decode(reply: Mapping[bytes, bytes]) -> Proof:
    # An earlier release counts the log, and does not say so.
    texts = {name: reply[name.encode()] for name in Proof.__dataclass_fields__ if name != "source"}
    result = _one_of(get_args(Result), texts["result"])
    source = _one_of(get_args(Source), reply.get(b"source", b"log"))
    numbers: dict[str, Any] = {
        name: number_of(texts[name]) for name in ("at_ms", "as_of_ms", "keys", "figures", "events", "differences")
    }
    if max(numbers["at_ms"], numbers["as_of_ms"]) > _LATEST_MS:
        raise ValueError("its time is out of range")
    if len(texts["note"]) > _LONGEST_BYTES:
        raise ValueError(f"a note of {len(texts['note']):,} bytes")
    return Proof(
        result=result, source=source, seconds=real_of(texts["seconds"]), note=texts["note"].decode(), **numbers
    )


def _one_of(words: tuple[Any, ...], text: bytes) -> Any:
    word = text.decode()
    if word not in words:
        raise ValueError(f"expected one of {', '.join(words)}, got {word[:40]!r}")
    return word


PROOF: Final[Codec[Proof]] = Codec("hash", _encode, _decode)
PROOF_ROW: Final = Row("rollup:proof", PROOF, "the last result of `clickpulse prove`, see [Proof](#proof)")
