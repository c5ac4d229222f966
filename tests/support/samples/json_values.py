"""Values that JSON can hold, likely ones and hostile ones."""

from typing import Any

from hypothesis import strategies as st


def json_values() -> st.SearchStrategy[Any]:
    """A scalar of any type, or a small list or object of some."""
    texts = st.text(max_size=20) | st.sampled_from(
        ["", " ", "0", "19.99", "-1", "1e400", "2026-11-22T10:30:00Z", "1795000000", "EUR", "shop.example", "x" * 3_000]
    )
    numbers = st.integers(-(2**70), 2**70) | st.integers(-5, 5) | st.floats(allow_nan=False, allow_infinity=False)
    scalars = st.none() | st.booleans() | numbers | texts
    return scalars | st.lists(scalars, max_size=2) | st.dictionaries(texts, scalars, max_size=2)
