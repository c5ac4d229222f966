"""A tile of the key figures. Pure, HTML out."""

from services.dashboard.kit.escaping import exactly_in_html, in_html


def tile(title: str, number: str, foot: str, kind: str = "", hint: str = "", pick: str = "", does: str = "") -> str:
    """A number with what it is of; a button that `does` something if there is a `pick`."""
    shown = f'<span class="number {kind}" style="--digits:{max(4, len(number))}">{in_html(number)}</span>'
    if pick:
        shown = (
            f'<button type="button" data-pick="{exactly_in_html(pick)}" data-place="{title}" '
            f'aria-label="{title}: {in_html(number)}. {does}">{shown}</button>'
        )
    return f'<div class="kpi"><h2>{title}</h2>{shown}<p title="{in_html(hint or foot)}">{in_html(foot)}</p></div>'
