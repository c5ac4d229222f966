"""The notice that a page shows in place of its cards. Pure, HTML out."""

from collections.abc import Iterable


def notice(title: str, text_html: str, hints: Iterable[tuple[str, str]] = ()) -> str:
    """A title, a sentence, and hints as (what, HTML of what to do)."""
    listed = "".join(f"<dt>{what}</dt><dd>{hint_html}</dd>" for what, hint_html in hints)
    answers = f"<dl>{listed}</dl>" if listed else ""
    return f'<div class="notice"><h1>{title}</h1><p>{text_html}</p>{answers}</div>'
