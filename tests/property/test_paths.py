"""What is worked out beforehand for the usual paths of a mapping leads to what walking them leads to."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from syncd.mapping.paths import Joined, find, find_all, getter_of, path_of, values_getter

KEYS = st.sampled_from(["a", "b", "c", "0", "a.b", "a[b=true].c"])
RECORDS = st.dictionaries(
    KEYS,
    st.recursive(
        st.sampled_from([None, True, False, 0, 1.5, "", " ", "x", "true", "ü y"]),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
        max_leaves=12,
    ),
    max_size=4,
)
PATHS = tuple(path_of(text) for text in ("a", "a.b", "a.b.c", "a.0", "a.0.b", "a[b=true].c", "a[b.c=true].c", "a.*.b", "a.*"))


@given(RECORDS)
def test_the_short_ways_lead_to_the_same_values(record: dict[str, Any]) -> None:
    for path in (*PATHS, Joined(PATHS, "; ")):
        assert getter_of(path)(record) == find(record, path), path
        assert values_getter([path])(record) == find_all(record, path), path
    assert values_getter(PATHS)(record) == [value for path in PATHS for value in find_all(record, path)]
