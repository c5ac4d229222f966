"""Free memory is returned where the allocator can."""

import pytest

from shared.runtime import free_memory


@pytest.mark.parametrize("trim", [None, lambda keep: asked.append(keep)])
def test_an_allocator_is_asked_if_it_can(monkeypatch: pytest.MonkeyPatch, trim: object) -> None:
    asked.clear()
    monkeypatch.setattr(free_memory, "_trim", trim)
    free_memory.return_free_memory()
    assert asked == ([] if trim is None else [0])


asked: list[int] = []
