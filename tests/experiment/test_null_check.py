"""The permuted-outcome control of an experiment."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import numpy as np
import pandas as pd
import pytest

from nbrelapse.experiment import ExperimentConfig
from nbrelapse.experiment.null_check import TOLERATED, _summarize, null_check
from nbrelapse.validation import CHOSEN


def test_every_family_and_the_best_of_each_permutation(settings: Callable[..., ExperimentConfig]) -> None:
    stages = []
    found = null_check(
        settings(), permutations=5, trials=1, progress=lambda stage, done, total: stages.append((stage, done, total))
    )
    assert list(found.values.columns) == ["cox", "boosted", CHOSEN]
    assert found.values[CHOSEN].tolist() == found.values[["cox", "boosted"]].max(axis=1).tolist()
    assert ((found.values > 0.2) & (found.values < 0.8)).all(axis=None)
    assert stages[-1] == ("permutations", 5, 5)
    assert "models were tuned by 1 trials, not by the experiment's 2" in found.notes
    assert any("use more permutations" in note for note in found.notes)


def test_the_summary_is_that_of_a_t_interval() -> None:
    values = pd.DataFrame({"m": [0.46, 0.50, 0.54, 0.50]})
    row = _summarize(values).loc["m"]
    assert row["mean"] == pytest.approx(0.5)
    # 3.182446 is the 97.5 % point of t with three degrees of freedom.
    assert row["high"] - row["mean"] == pytest.approx(3.182446 * np.std(values["m"], ddof=1) / 2, abs=1e-6)
    assert (row["smallest"], row["largest"], row["inside"]) == (0.46, 0.54, 2)


@pytest.mark.parametrize(
    ("figures", "compatible"),
    [([0.49, 0.50, 0.52], True), ([0.60, 0.61, 0.62], False), ([0.40, 0.41, 0.42], False), ([0.4, 0.7, 0.9], True)],
)
def test_only_an_interval_wholly_beyond_what_is_tolerated_speaks_against_chance(
    settings: Callable[..., ExperimentConfig],
    monkeypatch: pytest.MonkeyPatch,
    figures: list[float],
    compatible: bool,
) -> None:
    monkeypatch.setattr(
        import_module("nbrelapse.experiment.null_check"),
        "permuted_discrimination",
        lambda *_, **__: pd.DataFrame({"cox": figures, "chosen": figures}),
    )
    found = null_check(settings(models=["cox"]), permutations=3)
    assert TOLERATED == (0.47, 0.53)
    assert found.compatible is compatible
