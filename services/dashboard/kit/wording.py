"""Numbers and ages as pages write them; `time_zones` formats instants. Pure."""

from typing import Final

UNKNOWN: Final = "–"


def grouped(number: int) -> str:
    """`1234567` is `1,234,567`."""
    return f"{number:,}"


def text(value: object) -> str:
    """A field of an event; `–` when it is absent or empty."""
    return UNKNOWN if value is None or value == "" else str(value)


def share(part: int, whole: int) -> str:
    """The percentage of `part` in `whole`; `–` when `whole` is 0."""
    return f"{part / whole:.0%}" if whole > 0 else UNKNOWN


def percentage(part: float) -> str:
    """`0.125` is `12.5 %`, for a share that is a key figure."""
    return f"{100 * part:.1f} %"


def rate(per_unit: float) -> str:
    """Events per second or minute: one decimal below 100."""
    return f"{per_unit:.1f}" if round(per_unit, 1) < 100 else grouped(round(per_unit))


def counted_or_unknown(number: int | None, noun: str) -> str:
    """As `counted`; `unknown` for None."""
    return "unknown" if number is None else counted(number, noun)


def counted(number: int, noun: str) -> str:
    """`1 event`, `2 events`."""
    return f"{grouped(number)} {noun}" + ("" if number == 1 else "s")


def ordinal(number: int) -> str:
    """`1st`, `2nd`, `3rd`, `11th`."""
    last = "th" if number // 10 % 10 == 1 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{grouped(number)}{last}"


def duration(seconds: float) -> str:
    """An age with its largest unit, or the two largest from an hour on: `now`, `5 s`, `3 min`, `2 h 5 min`, `3 d`."""
    whole = int(seconds)
    if whole < 1:
        return "now"
    if whole < 60:
        return f"{whole} s"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86_400
    if hours < 1:
        return f"{minutes} min"
    if days < 1:
        return f"{hours} h" + (f" {minutes % 60} min" if minutes % 60 else "")
    return f"{days} d"


def span(seconds: float) -> str:
    """A length of time with its two largest units: `0 s`, `48 s`, `3 min 2 s`, `2 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")
    return f"{whole // 3600} h" + (f" {whole // 60 % 60} min" if whole // 60 % 60 else "")


def ago(seconds: float) -> str:
    """`now`, `5 s ago`."""
    words = duration(seconds)
    return words if words == "now" else f"{words} ago"


def size(number_of_bytes: float) -> str:
    """`812 B`, `4.7 MB`, `162 MB`, `1.2 GB`: in powers of 1,000."""
    amount, units = float(number_of_bytes), ["B", "kB", "MB", "GB", "TB"]
    while amount >= 999.5 and len(units) > 1:
        amount /= 1000
        units.pop(0)
    return f"{amount:.1f} {units[0]}" if amount < 99.95 and units[0] != "B" else f"{grouped(round(amount))} {units[0]}"


def milliseconds(amount: float) -> str:
    """`0.4 ms`, `95 ms`, `1.2 s`."""
    if amount >= 999.5:
        return f"{amount / 1000:.1f} s"
    return f"{amount:.1f} ms" if amount < 9.95 else f"{round(amount)} ms"


def whole_percentage(part: float) -> str:
    """`0.183` is `18 %`."""
    return f"{grouped(round(100 * part))} %"


def signed_percent(part: float) -> str:
    """`0.183` is `+18 %` and `-0.0012` is `−0.1 %`: no change that there is reads as none."""
    digits = 1 if 0 < abs(part) < 0.1 else 0
    return f"{100 * part:+.{digits}f}\u00a0%".replace("-", "−")
