"""Names in a checkpoint: any checkpoints and restarts keep them, and a checkpoint writes only what changed."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.aggregate.columns.dictionaries import Dictionaries
from services.aggregate.columns.names import Mark
from services.aggregate.state import name_parts
from services.aggregate.state.name_parts import decode_names, encode_names
from shared.rollups.model import OTHER_NAME

added = st.tuples(st.just("add"), st.integers(1, 5))
freed = st.tuples(st.just("free"), st.lists(st.integers(1, 30), max_size=8))
steps = st.lists(added | freed | st.tuples(st.sampled_from(["checkpoint", "restart"]), st.none()), max_size=25)


@given(steps)
def test_the_parts_of_all_checkpoints_are_the_names(steps: list[tuple[str, Any]]) -> None:
    names, expected, parts, number = Dictionaries(), dict[str, int](), dict[str, bytes](), 0
    saved: dict[str, Mark] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(name_parts, "CODES_PER_PART", 3)
        for step, argument in [*steps, ("restart", None)]:
            if step == "add":
                for _ in range(argument):
                    number += 1
                    expected[f"name {number}"] = names.of("page").codes[f"name {number}"]
            elif step == "free":
                unused = sorted(set(argument) & set(expected.values()))
                names = names.without("page", np.array(unused, np.int64))
                expected = {name: code for name, code in expected.items() if code not in unused}
            if step in ("free", "checkpoint", "restart"):  # a checkpoint follows each compaction
                parts |= dict(encode_names(names, saved))
                saved = names.marks()
            if step == "restart":
                names = Dictionaries(decode_names(parts))
                saved = names.marks()
                own = names.of("page")
                assert {name: code for code, name in enumerate(own) if name is not None} == expected | {OTHER_NAME: 0}
                assert all(own.codes[name] == code for name, code in expected.items())


def test_a_checkpoint_writes_the_ranges_with_new_names() -> None:
    names = Dictionaries()
    for number in range(10_000):
        names.of("page").codes[f"/{number}"]
    written = dict(encode_names(names, {}))
    assert {name for name in written if "page" in name} == {
        "names/page/00000000", "names/page/00000001", "names/page/00000002", "names/page/free"
    }  # fmt: skip
    saved = names.marks()
    names = names.without("page", np.arange(5_000, 9_000))
    after = dict(encode_names(names, saved))
    assert {name for name in after if "page" in name} == {"names/page/free"}
    saved = names.marks()
    names.of("page").codes["/new"]
    after |= dict(encode_names(names, saved))
    assert {name for name in after if "page" in name} == {"names/page/00000001", "names/page/free"}
    restored = Dictionaries(decode_names(written | after)).of("page")
    assert restored.codes["/new"] == 5_000
    assert restored[4_999] == "/4998"
    assert restored[5_001] is None


@pytest.mark.parametrize("missing", ["names/page/00000000", "names/page/00000001"])
def test_missing_parts_are_noticed(missing: str) -> None:
    names = Dictionaries()
    for number in range(5_000):
        names.of("page").codes[f"/{number}"]
    parts = dict(encode_names(names, {}))
    del parts[missing]
    with pytest.raises(ValueError, match="names of page"):
        decode_names(parts)
