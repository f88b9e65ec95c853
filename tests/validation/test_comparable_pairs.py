from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nbrelapse.validation.comparable_pairs import ComparablePairs

ITEM = st.tuples(st.integers(0, 2), st.integers(0, 4), st.integers(0, 5), st.booleans(), st.booleans())


@settings(max_examples=80, deadline=None)
@given(st.lists(ITEM, min_size=1, max_size=20))
def test_sums_equal_the_definition(items):
    stratum, position, rank, query, source = (np.array(column) for column in zip(*items, strict=True))
    generator = np.random.default_rng(0)
    own, given_ = generator.uniform(size=(2, len(items), 3))
    factors = generator.uniform(size=(2, len(items)))
    expected = np.zeros((2, 2, 3))
    for i in np.flatnonzero(query):
        for j in np.flatnonzero(source):
            if stratum[i] == stratum[j] and position[j] > position[i]:
                pair = factors[:, [i]] * own[i] * given_[j]
                expected += [(rank[i] > rank[j]) * pair + (rank[i] == rank[j]) * pair / 2, pair]
    pairs = ComparablePairs.of(stratum, position, rank, query=query, source=source)
    np.testing.assert_allclose(pairs.sums(own, given_, factors), expected, atol=1e-12)
