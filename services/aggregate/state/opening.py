"""Opening the state of a partition: what the disk holds, or an empty state; reading resumes where it ends."""

import secrets
from collections.abc import Container
from dataclasses import replace
from pathlib import Path

import msgspec

from services.aggregate.columns.digester import new_digest_key
from services.aggregate.columns.goals import NO_GOALS, Goals
from services.aggregate.encoding.encoder import Encoder
from services.aggregate.engine.segment_versions import OWNERS
from services.aggregate.engine.windows import Windows, oldest_second
from services.aggregate.state.codec import (
    decode_block,
    decode_checkpoint,
    schema_of,
)
from services.aggregate.state.database import StateUnusable, StateUnwritable
from services.aggregate.state.partition import Partition, PartitionStore
from services.aggregate.state.store import SavedState, Store, delete, finish_deletion, set_aside
from shared.events.time_units import HOUR_SECONDS
from shared.events.timestamps import FUTURE_TOLERANCE_MS, iso_second
from shared.privacy.erasures import NO_ERASURES, Erasures, decode_erasures, encode_erasures
from shared.runtime.logs import get_logger
from shared.runtime.tracebacks import error_text
from shared.streams.event_log import Assignment

logger = get_logger(__name__)


class ErasureDue(Exception):  # noqa: N818 - a state of the data
    """The state may hold events of a visitor who was forgotten since; it must be deleted."""


def open_partition(
    directory: Path,
    assignment: Assignment,
    now_s: int,
    kept_seconds: int = HOUR_SECONDS,
    erasures: Erasures = NO_ERASURES,
    goals: Goals = NO_GOALS,
    site: str = "",
) -> Partition:
    """Open the state of a partition, in `directory/<partition>`, with its windows ending at `now_s`.

    `kept_seconds` is how far back the rows of minutes are kept, at least the trailing hour. `site` is the one whose
    events count; empty: all.

    Unusable state, or state of another site or of a topic that was recreated since, is moved aside. Reading then starts
    by time, early enough for every window. State that does not honour all `erasures` is deleted instead, with what
    was set aside before, and so is unusable state while there are any: nobody can tell what it holds. Raises
    StateUnwritable.
    """
    path = directory / str(assignment.partition)
    try:
        finish_deletion(path)
        if erasures and not path.exists():
            delete(path)  # what was set aside of it
    except OSError as error:
        raise StateUnwritable(str(error)) from error
    try:
        return resume(Store(path, schema_of(goals, site)), assignment, now_s, kept_seconds, erasures, goals, site)
    except ErasureDue:
        _delete(path)
        return resume(Store(path, schema_of(goals, site)), assignment, now_s, kept_seconds, erasures, goals, site)
    except StateUnusable as reason:
        if erasures:
            _delete(path, str(reason))
            return resume(Store(path, schema_of(goals, site)), assignment, now_s, kept_seconds, erasures, goals, site)
        aside = set_aside(path, now_s)
        logger.warning(
            "state set aside, rebuilding from the log",
            partition=assignment.partition,
            reason=str(reason),
            moved_to=str(aside),
        )
        return resume(Store(path, schema_of(goals, site)), assignment, now_s, kept_seconds, goals=goals, site=site)


def delete_unowned(
    directory: Path, owned: Container[int], erasures: Erasures, goals: Goals = NO_GOALS, site: str = ""
) -> None:
    """Delete the state that an earlier assignment of other partitions left, unless it honours all `erasures`.

    Leaves alone what another process has open. Raises StateUnwritable.
    """
    for name in sorted({path.name.partition(".")[0] for path in directory.glob("[0-9]*")}):
        path = directory / name
        if not name.isdigit() or int(name) in owned:
            continue
        if not path.exists():
            _delete(path)  # of which something was set aside
            continue
        try:
            store = Store(path, schema_of(goals, site))
            try:
                is_due = not decode_erasures(store.erasures()).covers(erasures)
            finally:
                store.close()
        except StateUnwritable as error:  # such as a lock: its owner deletes it itself
            logger.warning("state not deleted, another process has it open", state=str(path), error=error_text(error))
            continue
        except (StateUnusable, ValueError):
            is_due = True
        if is_due:
            _delete(path)


def _delete(path: Path, reason: str = "a visitor was forgotten") -> None:
    try:
        delete(path)
    except OSError as error:
        raise StateUnwritable(str(error)) from error
    logger.info("state deleted, rebuilding from the log without forgotten visitors", state=str(path), reason=reason)


def resume(
    store: PartitionStore,
    assignment: Assignment,
    now_s: int,
    kept_seconds: int = HOUR_SECONDS,
    erasures: Erasures = NO_ERASURES,
    goals: Goals = NO_GOALS,
    site: str = "",
) -> Partition:
    """Resume from what a store holds, or start empty. Closes the store when it raises: it could not be opened again."""
    try:
        return _resumed(store, assignment, now_s, kept_seconds, erasures, goals, site)
    except BaseException:
        store.close()
        raise


def _resumed(
    store: PartitionStore,
    assignment: Assignment,
    now_s: int,
    kept_seconds: int,
    erasures: Erasures,
    goals: Goals,
    site: str,
) -> Partition:
    saved = store.read()
    honoured = _honoured(store) if saved is not None else erasures
    if not honoured.covers(erasures):
        raise ErasureDue
    digest_key = new_digest_key() if saved is None else saved.digest_key
    encoder, windows = (
        (Encoder(digest_key, goals=goals), Windows(now_s, kept_seconds, goals))
        if saved is None
        else _restored(saved, assignment, now_s, kept_seconds, goals)
    )
    windows.segment_versions.owner = secrets.randbelow(OWNERS)
    if saved is None:
        # An event may be appended a minute ahead of its time.
        loaded_from_ms = oldest_second(now_s) * 1000 - FUTURE_TOLERANCE_MS
        saved = SavedState({}, [], None, loaded_from_ms, assignment.topic_id, digest_key)
        store.begin(saved.loaded_from_ms, saved.topic_id, encode_erasures(erasures), digest_key)
    elif assignment.topic_id and not saved.topic_id:  # it was unknown so far
        saved = replace(saved, topic_id=assignment.topic_id)
        store.begin(saved.loaded_from_ms, saved.topic_id)
    has_gap = saved.next_offset is not None and saved.next_offset < assignment.begin_offset
    if has_gap:
        assert saved.next_offset is not None
        logger.warning(
            "records expired from the topic before they were read; the windows lack them",
            partition=assignment.partition,
            missing=assignment.begin_offset - saved.next_offset,
        )
    logger.info(
        "partition opened",
        partition=assignment.partition,
        next_offset=saved.next_offset,
        loaded_from=None if has_gap else iso_second(saved.loaded_from_ms),
        blocks=len(saved.blocks),
    )
    return Partition(
        assignment.partition, store, saved, encoder, windows, has_gap=has_gap, erasures=honoured, site=site
    )


def _honoured(store: PartitionStore) -> Erasures:
    try:
        return decode_erasures(store.erasures())
    except ValueError as error:
        raise StateUnusable(f"its erasures cannot be read: {error}") from error


def _restored(
    saved: SavedState, assignment: Assignment, now_s: int, kept_seconds: int, goals: Goals
) -> tuple[Encoder, Windows]:
    """The state after the last block that was stored, advanced to `now_s`. Raises StateUnusable."""
    if saved.topic_id and assignment.topic_id and saved.topic_id != assignment.topic_id:
        raise StateUnusable("it belongs to a topic that has been deleted and recreated since")
    if saved.next_offset is not None and saved.next_offset > assignment.end_offset:
        raise StateUnusable(f"its next offset {saved.next_offset} is past the topic's end {assignment.end_offset}")
    try:
        blocks = [decode_block(block) for block in saved.blocks]
        first_s = blocks[0][2] if blocks else now_s
        encoder, windows = (
            decode_checkpoint(saved.checkpoint, saved.digest_key, kept_seconds, goals)
            if saved.checkpoint
            else (Encoder(saved.digest_key, goals=goals), Windows(first_s, kept_seconds, goals))
        )
        for batch, counts, folded_s in blocks:
            windows.advance(folded_s)
            encoder.learn(batch)
            windows.fold(batch, counts)
        encoder.settle()
    except (KeyError, ValueError, IndexError, TypeError, msgspec.MsgspecError) as error:
        raise StateUnusable(f"it cannot be read: {error!r}") from error
    windows.advance(now_s)
    return encoder, windows
