"""How a figure has changed, as pages write it. Pure, HTML out."""

from services.dashboard.kit.wording import grouped


def change(percent: int, on: str, tooltip: str) -> str:
    """`▲ 12 % on yesterday`, with a word in place of the sign for screen readers. `on` and `tooltip` are HTML."""
    kind, arrow, word = _sign(percent)
    return (
        f'<span class="change {kind}" title="{tooltip}"><span aria-hidden="true">{arrow}</span>'
        f'<span class="spoken">{word}</span> {grouped(abs(percent))} %</span> on {on}'
    )


def in_words(percent: int) -> str:
    """`up 12 %`."""
    _, _, word = _sign(percent)
    return f"{word} {grouped(abs(percent))} %"


def _sign(percent: int) -> tuple[str, str, str]:
    if percent > 0:
        return "up", "▲", "up"
    return ("down", "▼", "down") if percent < 0 else ("level", "±", "changed by")
