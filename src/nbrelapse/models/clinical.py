"""Clinical baselines: the risk groups that the clinic uses without a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import pandas as pd

from nbrelapse.models.base import Features
from nbrelapse.models.linear import Cox, _LinearModel
from nbrelapse.models.logistic import Logistic

_GROUPINGS: dict[str, tuple[str, ...]] = {
    "clinical_risk_group": ("clinical__risk_group",),
    "clinical_cog_v2": ("clinical__cog_v2",),
    "clinical_inrg": ("clinical__inrg",),
}
_AGE_STAGE_MYCN = (
    "clinical__log2_age",
    "clinical__age_over_18_months",
    "clinical__stage_metastatic",
    "clinical__stage_4s",
    "clinical__stage_3",
    "mycn__amplified",
)
CLINICAL_COLUMNS = {**_GROUPINGS, "clinical_cox": _AGE_STAGE_MYCN}
"""Columns of each baseline: three groupings as they are, and a Cox model on age, stage and MYCN."""

_CLINICAL_BINARY_COLUMNS = {**_GROUPINGS, "clinical_logistic": _AGE_STAGE_MYCN}
"""The same for a binary endpoint, by logistic regression."""


class ClinicalReference(_LinearModel):
    """A few clinical columns, all but unpenalised: a reference, not a competitor.

    A grouping enters as its ordinal level, so it ranks patients exactly as the clinic does; the regression only turns
    it into probabilities. Nothing is tuned. Where ``columns`` are not given, age, stage and MYCN are read.
    """

    def _default_columns(self, X: Features, table: pd.DataFrame) -> list[str]:
        return list(_AGE_STAGE_MYCN)

    def suggest(self, trial: object) -> dict[str, object]:
        """Nothing to tune."""
        return {}

    def available(self, X: pd.DataFrame) -> bool:
        """Whether X has the columns, and at least one of them differs between its patients.

        A baseline that is not available (no COG group can be told from what is recorded, say) is left out of an
        experiment, which says so.
        """
        names = list(self.columns or _AGE_STAGE_MYCN)
        return all(name in X.columns for name in names) and any(X[name].min() < X[name].max() for name in names)


class ClinicalCox(ClinicalReference, Cox):
    """Cox regression on a few clinical columns.

    Parameters
    ----------
    columns : sequence of str, optional
        Columns of X that the model reads: age, stage and MYCN by default, or a grouping of the clinic such as
        ``clinical__inrg``.
    penalty, l1_ratio, not_assayed, strata
        As in :class:`Cox`; the penalty is all but none.
    """

    family: ClassVar[str] = "clinical"

    def __init__(
        self,
        columns: Sequence[str] | None = None,
        *,
        penalty: float = 1e-3,
        l1_ratio: float = 0.05,
        not_assayed: str = "mean",
        strata: Mapping[str, str] | pd.Series | None = None,
    ) -> None:
        super().__init__(columns, penalty=penalty, l1_ratio=l1_ratio, not_assayed=not_assayed, strata=strata)


class ClinicalLogistic(ClinicalReference, Logistic):
    """Logistic regression on a few clinical columns; so few need no calibration.

    Parameters
    ----------
    columns : sequence of str, optional
        As in :class:`ClinicalCox`.
    penalty, l1_ratio, not_assayed, calibration_folds, strata
        As in :class:`Logistic`; the penalty is all but none.
    """

    family: ClassVar[str] = "clinical_logistic"

    def __init__(
        self,
        columns: Sequence[str] | None = None,
        *,
        penalty: float = 1e-3,
        l1_ratio: float = 0.05,
        not_assayed: str = "mean",
        calibration_folds: int = 0,
        strata: Mapping[str, str] | pd.Series | None = None,
    ) -> None:
        super().__init__(
            columns,
            penalty=penalty,
            l1_ratio=l1_ratio,
            not_assayed=not_assayed,
            calibration_folds=calibration_folds,
            strata=strata,
        )
