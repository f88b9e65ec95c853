"""Who of a cohort was looked at, counted block by block of its patients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import pandas as pd

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.mechanisms.feature_table import FeatureTable
from nbrelapse.mechanisms.gene_sets import measured_genes
from nbrelapse.report.facts import _COUNTS, feature_patients, mechanism_patients


@dataclass(frozen=True)
class Coverage:
    """Counts of the patients looked at, and the genes that were measured.

    Parameters
    ----------
    by_mechanism : DataFrame
        As :func:`nbrelapse.report.facts.mechanism_patients` returns it.
    by_feature : DataFrame
        As :func:`nbrelapse.report.facts.feature_patients` returns it.
    measured : Index of str or None
        Current symbols of the genes with a value in a diagnosis sample; None of a cohort without expression.
    """

    by_mechanism: pd.DataFrame
    by_feature: pd.DataFrame
    measured: pd.Index | None

    @property
    def patients(self) -> int:
        """How many there are."""
        return int(self.by_feature[_COUNTS].iloc[0].sum())

    @classmethod
    def of(cls, cohort: Cohort, table: FeatureTable) -> Coverage:
        """Count the patients of a cohort, or of a block of it."""
        genes = None if cohort.expression is None else measured_genes(cohort)
        return cls(mechanism_patients(cohort, table), feature_patients(cohort, table), genes)

    @classmethod
    def total(cls, blocks: Sequence[Coverage]) -> Coverage:
        """Add up the blocks of one cohort, which have the same rows."""
        by_mechanism, by_feature = blocks[0].by_mechanism.copy(), blocks[0].by_feature.copy()
        by_mechanism[_COUNTS] = sum(block.by_mechanism[_COUNTS] for block in blocks)
        by_feature[_COUNTS] = sum(block.by_feature[_COUNTS] for block in blocks)
        genes = [block.measured for block in blocks if block.measured is not None]
        return cls(by_mechanism, by_feature, reduce(lambda one, other: one.union(other), genes) if genes else None)
