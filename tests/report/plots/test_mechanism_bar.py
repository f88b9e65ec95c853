from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nbrelapse.errors import InputError
from nbrelapse.explanation.explanation import Explanation
from nbrelapse.explanation.stability import Stability
from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.report.plots import mechanism_bar


def test_whiskers_end_where_the_refits_do(explanation: Explanation, catalogue: Catalogue, stable: Stability) -> None:
    axes = mechanism_bar(explanation, catalogue, stable).axes[0]
    rows = {label.get_text(): row for row, label in enumerate(axes.get_yticklabels())}
    found = {int(line.get_ydata()[0]): list(line.get_xdata()) for line in axes.lines}  # type: ignore[index,arg-type]
    table = stable.mechanisms
    for name in table.index:
        row = rows[catalogue.mechanisms[name].title]
        assert found[row] == pytest.approx([table.loc[name, "low"], table.loc[name, "high"]])
    assert axes.get_xlim()[1] >= table["high"].max()
    assert "95% of 20 bootstrap refits" in axes.get_xlabel()


def test_without_refits_there_is_no_whisker(explanation: Explanation, catalogue: Catalogue) -> None:
    axes = mechanism_bar(explanation, catalogue).axes[0]
    assert len(axes.lines) == 0
    assert "refits" not in axes.get_xlabel()


def test_a_mechanism_without_refitted_figures_has_no_whisker(
    explanation: Explanation, catalogue: Catalogue, stable: Stability
) -> None:
    part = replace(stable, mechanisms=stable.mechanisms.drop(index="mycn"))
    axes = mechanism_bar(explanation, catalogue, part).axes[0]
    assert len({int(np.asarray(line.get_ydata())[0]) for line in axes.lines}) == len(explanation.mechanisms.columns) - 1


def test_refits_on_another_scale_are_refused(explanation: Explanation, catalogue: Catalogue, stable: Stability) -> None:
    with pytest.raises(InputError, match="refits explain the log hazard, the bars the probability"):
        mechanism_bar(replace(explanation, scale="probability"), catalogue, stable)
