"""Arrays that grow keep what they have, whether their memory is mapped or allocated."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.aggregate.columns import arrays
from services.aggregate.columns.arrays import grown


@given(
    st.lists(st.lists(st.integers(-9, 9), min_size=5, max_size=5) | st.just([0] * 5), min_size=1, max_size=4),
    st.integers(0, 3_000),
    st.sampled_from([np.int32, np.int64, np.uint8]),
    st.sampled_from([1, 10_000, 1 << 30]),
)
def test_a_grown_array_has_its_values_and_zeros_behind_them(
    rows: list[list[int]], size: int, dtype: type[np.generic], least_mapped: int
) -> None:
    array = np.array(rows).astype(dtype)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arrays, "_LEAST_MAPPED_BYTES", least_mapped)
        larger = grown(array, size)
        assert larger.shape[1] >= size
        assert larger.dtype == dtype
        assert (larger[:, :5] == array).all()
        assert not larger[:, 5:].any()
        larger[:] = 1  # it may be written
        assert (grown(larger, larger.shape[1] + 1)[:, : larger.shape[1]] == 1).all()


def test_a_mapped_array_outlives_its_other_views() -> None:
    view = arrays.zeros((2, 1 << 20), np.int32)[1]
    view[-1] = 7
    assert (int(view[-1]), int(view[:-1].sum())) == (7, 0)
