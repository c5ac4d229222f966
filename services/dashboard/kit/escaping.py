"""Untrusted text, escaped for the place it is shown in. Pure.

Anybody who sends clicks chooses titles, categories, user agents, countries and log lines. All of it passes one of these
functions on its way to a page.
"""

import html
import unicodedata
from typing import Final

_NOT_SHOWN: Final = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Unicode categories that labels leave out: controls, direction overrides, lone surrogates, line separators."""


def legible(text: object, longest: int = 200) -> str:
    """`text` on one line, without invisible characters, cut to `longest` characters with an ellipsis."""
    text = str(text)
    if len(text) <= longest and text.isprintable():
        return text  # nearly always
    # Cut first: a text may have megabytes, which every viewer's page would carry.
    line = "".join(" " if unicodedata.category(sign) in _NOT_SHOWN else sign for sign in text[: 4 * longest])
    line = " ".join(line.split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def in_html(text: object, longest: int = 200) -> str:
    """`text` for the content or a quoted attribute of an HTML element."""
    return html.escape(legible(text, longest), quote=True)


def exactly_in_html(text: str) -> str:
    """`text` unchanged, as the value of a quoted attribute that identifies something and is never shown."""
    return html.escape(text, quote=True)


_PLOTLY_SIGNS: Final = {ord(sign): f"&#{ord(sign)};" for sign in "&<>$%{}"}
"""Plotly interprets tags (`<b>`, `<a href>`), entities, LaTeX between `$`, and `%{…}`; as entities it shows them."""


def in_plotly(text: object, longest: int = 60) -> str:
    """`text` for a label, a tick or a hover text of a Plotly figure."""
    return legible(text, longest).translate(_PLOTLY_SIGNS)
