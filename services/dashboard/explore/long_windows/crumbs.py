"""Where a viewer has zoomed to, with a button for each step back. Pure, HTML out."""

from services.dashboard.explore.long_windows import captions
from services.dashboard.explore.long_windows.choices import Bucket, LongChoices
from services.dashboard.explore.long_windows.picks import zoom_pick
from services.dashboard.explore.long_windows.zoom import path, zoom_text
from services.dashboard.kit.escaping import exactly_in_html, in_html
from services.dashboard.kit.time_zones import Clock


def draw(choices: LongChoices, bucket: Bucket, clock: Clock) -> str:
    """`Last 12 months › November 2026 › Fri 27 Nov 2026`; `choices` are those of the whole window."""
    whole = captions.short(choices, clock)
    *above, own = path(choices, bucket, clock)
    steps = [(whole[0].upper() + whole[1:], zoom_pick(""))]
    steps += [
        (captions.of_bucket(step, clock), zoom_pick(zoom_text(step.start, step.interval, clock))) for step in above
    ]
    buttons = "".join(
        f'<button type="button" data-pick="{exactly_in_html(pick)}" data-place="{in_html(text)}">'
        f"{in_html(text)}</button>"
        '<i aria-hidden="true">›</i>'
        for text, pick in steps
    )
    here = f'<b aria-current="true">{in_html(captions.of_bucket(own, clock))}</b>'
    return f'<nav class="crumbs" aria-label="Zoomed to">{buttons}{here}</nav>'
