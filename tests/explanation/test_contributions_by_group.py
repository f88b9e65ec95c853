from __future__ import annotations

import pandas as pd

from nbrelapse.explanation.contributions_by_group import contributions_by_group


def test_means_are_those_of_the_known_patients_of_groups_large_enough() -> None:
    mechanisms = pd.DataFrame({"mycn": [1.0, 3.0, -2.0, 8.0, 5.0], "alk": [0.0, 1.0, 2.0, 3.0, 4.0]}, list("abcde"))
    group = pd.Series(pd.Categorical(["high", "high", "low", "low"], ["low", "middle", "high"]), ["a", "b", "c", "x"])
    found = contributions_by_group(mechanisms, group, least=2)
    assert found.mean.to_dict() == {"high": {"mycn": 2.0, "alk": 0.5}}
    assert found.n.to_dict() == {"high": 2}
    assert found.left_out == ("low",)
    assert found.unknown == 2


def test_groups_keep_their_order_and_empty_ones_are_not_named() -> None:
    mechanisms = pd.DataFrame({"mycn": [1.0, 2.0]}, index=["a", "b"])
    group = pd.Series(pd.Categorical(["z", "a"], ["z", "none", "a"]), ["a", "b"])
    found = contributions_by_group(mechanisms, group, least=1)
    assert list(found.mean.columns) == ["z", "a"]
    assert found.left_out == ()
