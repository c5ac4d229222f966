"""A store in memory, for fast tests."""

from collections.abc import Mapping
from dataclasses import replace

from services.aggregate.state.store import SavedState


class MemoryStore:
    """Passes the same contract tests as the real one, in `tests/contract/test_store.py`."""

    def __init__(self) -> None:
        self.saved: SavedState | None = None
        self._erasures = b""

    def begin(
        self, loaded_from_ms: int, topic_id: str = "", erasures: bytes | None = None, digest_key: bytes | None = None
    ) -> None:
        before = self.saved or SavedState({}, [], None, 0)
        key = before.digest_key if digest_key is None else digest_key
        self.saved = replace(before, loaded_from_ms=loaded_from_ms, topic_id=topic_id, digest_key=key)
        self._erasures = self._erasures if erasures is None else erasures

    def erasures(self) -> bytes:
        return self._erasures

    def read(self) -> SavedState | None:
        return self.saved

    def append(self, block: bytes, next_offset: int) -> None:
        assert self.saved is not None
        self.saved = replace(self.saved, blocks=[*self.saved.blocks, block], next_offset=next_offset)

    def checkpoint(self, parts: Mapping[str, bytes], oldest: Mapping[str, str]) -> None:
        assert self.saved is not None
        kept = {
            name: part
            for name, part in self.saved.checkpoint.items()
            if not any(name.startswith(folder) and name < first for folder, first in oldest.items())
        }
        self.saved = replace(self.saved, checkpoint={**kept, **parts}, blocks=[])

    def close(self) -> None:
        """Nothing to free."""
