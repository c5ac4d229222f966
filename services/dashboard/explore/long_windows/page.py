"""The Explore page of a long window (Streamlit edge): what history has answered, and a sign while it is asked."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

import streamlit as st

from services.dashboard.explore.elements import Elements
from services.dashboard.explore.long_windows import board, crumbs, notes
from services.dashboard.explore.long_windows.answers import Said
from services.dashboard.explore.long_windows.choices import MOST_NAMES, LongChoices, all_names, has_weekdays, questions
from services.dashboard.explore.long_windows.files import FILES, PARTS, file_name
from services.dashboard.explore.long_windows.found import Found, Part, Seen
from services.dashboard.explore.long_windows.picks import read_pick, read_zoom_pick
from services.dashboard.explore.long_windows.zoom import zoomed
from services.dashboard.explore.widgets import address, controls, downloads
from services.dashboard.explore.widgets.parts import show_part
from services.dashboard.kit.cards.card import Card, Context, Pickable, container_rules
from services.dashboard.kit.category_colours import CategoryColours
from services.dashboard.kit.notice import notice
from services.dashboard.sources.completed_minutes import CompletedMinutes
from services.dashboard.sources.history.answers import HistoryAnswers
from services.dashboard.sources.history.questions import Question

_SEEN: Final = "explore-seen"
"""What the session keeps: the site, and its latest answer of each part, which stays until the next one is there."""

_DRAWN: Final = "explore-drawn"
_ASKING: Final = "explore-asking"
_WAIT_SECONDS: Final = 0.4
"""Most answers take less, and are on the page at once."""

_ASKING_REFRESH_SECONDS: Final = 1
_CHOOSE_DAYS: Final = notice("Choose the days", "Choose the first and the last day above.")
_NO_SITE: Final = notice("No rollup yet", "Which site this is, the first rollup in Redis says. History is asked then.")


def refresh_seconds(chosen: int) -> int:
    """How often the page refreshes: each second while history is asked, also if the viewer paused it."""
    return _ASKING_REFRESH_SECONDS if st.session_state.get(_ASKING) else chosen


def show(
    chosen: LongChoices,
    history: HistoryAnswers[Said] | None,
    site: str | None,
    minutes: CompletedMinutes,
    elements: Elements,
    colours: CategoryColours,
    context: Context,
    chosen_seconds: int,
) -> None:
    """Show what history answers; `site` is None while it is unknown, and empty for all sites."""
    if history is None:
        st.html(board.without_history(context.role))
    elif site is None:
        st.html(_NO_SITE)
    elif chosen.window == "dates" and chosen.days is None:
        st.html(_CHOOSE_DAYS)
    else:
        _show_board(chosen, history, site, minutes, elements, colours, context, chosen_seconds)


def _show_board(
    chosen: LongChoices,
    history: HistoryAnswers[Said],
    site: str,
    minutes: CompletedMinutes,
    elements: Elements,
    colours: CategoryColours,
    context: Context,
    chosen_seconds: int,
) -> None:
    whole = chosen
    bucket = controls.zoom_of(chosen, context.clock)
    if bucket is not None:
        chosen = zoomed(chosen, bucket)
    (standing,) = history.look([questions(chosen, context.clock, site).totals], _WAIT_SECONDS)
    failure = standing.failure
    if standing.said is None and failure is not None and not failure.is_refused:
        st.html(board.without_history(context.role, failure.reason))
        return
    above = st.container(key="above")
    with st.container(key="board"):
        containers = {name: st.container(key=f"card-{name}") for name in board.panels_of(chosen)}
    with containers["breakdown"]:
        breakdown = controls.long_breakdown(minutes)
    choices = replace(chosen, breakdown=breakdown)
    found = _found(choices, history, site, context)
    ranked = found.seen.get("ranked")
    if ranked is not None and ranked.choices.breakdown == "category":
        context = replace(context, category_colours=colours.of([row.name for row in ranked.said.rows]))
    drawn = _drawn(found, context)
    limits = notes.draw(found, datetime.fromtimestamp(context.now_ms / 1000, UTC), context.clock, role=context.role)
    with above:
        # A live region is announced when its text changes, so it is there before.
        st.html(f'<p class="progress" role="status">{notes.progress(found)}</p>')
        if limits:
            st.html(limits)
        if bucket is not None:
            show_part(Pickable(crumbs.draw(whole, bucket, context.clock)), "crumbs", elements, _pick)
        show_part(Pickable(drawn.key_figures), "figures", elements, _pick)
    for card in drawn.cards:
        with containers[card.name]:
            _show_card(card, elements)
    is_writing = context.role == "analyst" and _downloads(choices, history, site, found, elements, context)
    st.html(f'<p class="absent">{board.ABSENT}</p>')
    st.html(f"<style>{container_rules(drawn.cards)}</style><i class='page-end'></i>")
    _keep_pace(is_asking=bool(found.asking) or is_writing, chosen_seconds=chosen_seconds)


def _found(choices: LongChoices, history: HistoryAnswers[Said], site: str, context: Context) -> Found:
    """What is known of each part; where nothing is yet, what this viewer saw before."""
    asked = questions(choices, context.clock, site)
    by_part: Mapping[Part, Question | None] = {
        "totals": asked.totals,
        "series": asked.series,
        "ranked": asked.ranked,
        "hours": asked.hours,
        "visits": asked.visits,
        "ages": asked.ages,
        "currencies": asked.currencies,
        "sessions": asked.sessions,
    }
    due = {part: question for part, question in by_part.items() if question is not None}
    standings = dict(zip(due, history.look(due.values(), _WAIT_SECONDS), strict=True))
    seen = _seen_before(site)
    for part, standing in standings.items():
        if standing.said is not None:
            before = seen.get(part)
            if before is None or before.said is not standing.said or before.choices != choices:
                seen[part] = Seen(choices, standing.said)
        elif standing.failure is not None:
            seen.pop(part, None)
    return Found(
        choices,
        {part: seen[part] for part in due if part in seen},
        {part: own.failure for part, own in standings.items() if own.failure is not None},
        {
            part: own.asking_seconds
            for part, own in standings.items()
            if own.said is None and own.failure is None and own.asking_seconds is not None
        },
    )


def _drawn(found: Found, context: Context) -> board.Board:
    """What this viewer was shown last, unless something has changed: drawing 720 hours takes 14 ms."""
    key = (
        found.choices,
        tuple(found.seen.items()),
        tuple(found.failures.items()),
        (context.palette.mode, context.clock, context.role, tuple(context.category_colours.items())),
    )
    kept: tuple[object, board.Board] | None = st.session_state.get(_DRAWN)
    if kept is None or kept[0] != key:
        kept = st.session_state[_DRAWN] = (key, board.draw(found, context))
    return kept[1]


def _seen_before(site: str) -> dict[Part, Seen]:
    kept: tuple[str, dict[Part, Seen]] | None = st.session_state.get(_SEEN)
    if kept is None or kept[0] != site:
        kept = st.session_state[_SEEN] = (site, {})
    return kept[1]


def _downloads(
    choices: LongChoices,
    history: HistoryAnswers[Said],
    site: str,
    found: Found,
    elements: Elements,
    context: Context,
) -> bool:
    """The buttons of the files; whether one is still asked for."""
    pending: list[str] = []

    def write(kind: str) -> tuple[str, str] | None:
        seen = found.seen.get(PARTS[kind])
        if kind == "breakdown":
            ranked = all_names(questions(choices, context.clock, site).ranked, MOST_NAMES)
            (standing,) = history.look([ranked], _WAIT_SECONDS)
            if standing.said is not None:
                seen = Seen(choices, standing.said)
            elif standing.failure is None:
                seen = None
        if seen is None:
            if PARTS[kind] not in found.failures:
                pending.append(kind)
            return None
        return file_name(kind, seen.said), FILES[kind](seen, context.clock)

    with st.container(key="events-top", horizontal=True):
        kinds = [kind for kind in FILES if kind != "weekdays" or has_weekdays(choices)]
        downloads.show(kinds, write, elements.show)
    return bool(pending)


def _show_card(card: Card, elements: Elements) -> None:
    for place, part in enumerate(card.parts):
        show_part(part, f"{card.name}-{place}", elements, _pick)


def _pick(text: object) -> None:
    """Zoom to the bucket that was picked; or filter by the name, or no longer if it is the filter already."""
    zoom = read_zoom_pick(text)
    if zoom is not None:
        address.zoom(zoom or None)
    picked = read_pick(text)
    if picked is not None:
        controls.pick(*picked)


def _keep_pace(*, is_asking: bool, chosen_seconds: int) -> None:
    """Have the page refresh each second while history is asked, and then as the viewer chose."""
    was_asking = bool(st.session_state.get(_ASKING))
    st.session_state[_ASKING] = is_asking
    if was_asking != is_asking and chosen_seconds != _ASKING_REFRESH_SECONDS:
        st.rerun()
