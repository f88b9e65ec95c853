"""Whether a model's explanation would have come out the same in other patients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from nbrelapse.errors import InputError
from nbrelapse.explanation.direction_agreement import direction_agreement
from nbrelapse.explanation.explanation import Explanation
from nbrelapse.explanation.rank_agreement import rank_agreement
from nbrelapse.explanation.refit_figures import refit_figures
from nbrelapse.explanation.stability_tables import feature_table, mechanism_table
from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.models.risk_model import RiskModel

MOST_PATIENTS = 1000
"""Patients explained by every refit; a mean of so many varies by some 3 %, far less than refits do. A choice."""


@dataclass(frozen=True)
class Stability:
    """What bootstrap and fold refits of a model make of the same patients; build it with :func:`stability`.

    Parameters
    ----------
    mechanisms : DataFrame
        Index ``mechanism``, most important first. ``importance`` (mean absolute contribution), ``low``, ``high``;
        ``rank``, ``rank_low``, ``rank_high`` (1 = most important, ties get the worse rank); ``first`` and
        ``first_three`` (share of the refits that rank it so); ``fold_low``, ``fold_high`` (range of the importance
        over the fold refits, NaN without any); ``agreement``, ``agreement_low``, ``agreement_high`` (Spearman's
        correlation of the patients' contributions between the model and a refit: median, least and greatest; a refit
        that does not use the mechanism counts as 0); ``signed_share`` (share of the refits in which it is above 0);
        ``spread``, ``spread_low``, ``spread_high``, ``distinct`` and ``status``, see Notes.
    features : DataFrame
        Index ``feature``, most important first: what :func:`direction_agreement` gives, and ``low``, ``high`` of the
        importance; ``effect`` (least-squares slope of the contribution on the value, times the value's standard
        deviation: in a linear model the coefficient per standard deviation), ``effect_low``, ``effect_high``;
        ``same_sign`` (share of the refits with the model's sign; NaN where the model has none) and ``status``:
        ``established`` (``same_sign`` at least 0.95), ``suggested`` (0.80), ``undecided``, or ``constrained`` where
        the model could take no other sign. A feature without any effect is called established one time in ten: its
        sign is chosen by the same patients.
    rank_agreement : DataFrame
        Index ``refits`` and, where there are any, ``folds``: how alike pairs of them order the mechanisms, see
        :func:`nbrelapse.explanation.rank_agreement.rank_agreement`. Fold refits share most of their patients.
    n_patients, n_refits, n_folds : int
        How many patients were explained, by how many bootstrap and fold refits.
    scale : str
        Of the contributions.

    Notes
    -----
    Intervals named ``low`` and ``high`` hold 95 % of the refits. A mean of absolute values is never 0 and rises with
    noise, in the refits more than in the model: such an interval says how large a mechanism may look, never whether it
    has an effect. Nor does agreement on the patients: a mechanism of many features without any effect ranks them alike
    in model and refits, which share their noise.

    ``spread`` can say no. It is the standard deviation of the mechanism's contributions over patients. A refit differs
    from the model as the model does from what it estimates (the bootstrap's principle [1]_); let q be the standard
    deviation of that difference that 95 % of the refits keep below. By the triangle inequality the spread of what is
    estimated lies within q of the model's, with 95 % confidence or more: ``spread_low`` and ``spread_high``. A lower
    limit of 0 or below: the mechanism cannot be told from noise. ``distinct`` is the share of the refits that differ
    by less than the model's spread; the ``status`` is ``established`` at 0.95 or more, where ``spread_low`` is above
    0, ``suggested`` at 0.80, else ``undecided``.

    Refits share what the model was given: expected effects that it starts from, directions that it is held to. That
    they agree on these is no finding of the patients. A penalty keeps the refits closer to the model than the model is
    to the truth, and correlated features trade their effect: a sign or a rank may be stable and still be another
    feature's. Parameters are those of the model: tuning is not repeated.

    References
    ----------
    .. [1] Davison & Hinkley 1997, Bootstrap Methods and their Application, 10.1017/CBO9780511802843
    """

    mechanisms: pd.DataFrame
    features: pd.DataFrame
    rank_agreement: pd.DataFrame
    n_patients: int
    n_refits: int
    n_folds: int
    scale: str

    @property
    def disagreements(self) -> pd.DataFrame:
        """The features whose sign in the model is not the catalogue's, those that the model was free in."""
        return self.features[self.features["agrees"].eq(False).fillna(False).astype(bool)]


def stability(
    explanation: Explanation,
    refits: Sequence[RiskModel],
    catalogue: Catalogue,
    endpoint: str,
    folds: Sequence[RiskModel] = (),
) -> Stability:
    """Explain the same patients by refits of the model, and compare.

    Parameters
    ----------
    explanation : Explanation
        Of the model, on the scale of the log risk. Of more than 1,000 patients as many, evenly spaced, stand for all;
        the model's own figures are then those of them, too.
    refits : sequence of RiskModel
        Bootstrap refits, see :func:`nbrelapse.models.resamples.bootstrap_refits`.
    catalogue : Catalogue
    endpoint : {"relapse", "efs", "os", "refractory"}
    folds : sequence of RiskModel, optional
        The model refitted without each fold, see :func:`nbrelapse.models.resamples.fold_refits`.

    Returns
    -------
    Stability

    Raises
    ------
    InputError
        There are no refits, no patients, or the explanation is of probabilities.
    """
    if not refits:
        raise InputError("no stability without bootstrap refits", column="refits", expected="at least one")
    if explanation.features.empty:
        raise InputError("no stability without patients and features", column="explanation")
    if explanation.scale == "probability":
        raise InputError(
            "the explanation is of probabilities", column="explanation", expected="one on the scale of the log risk"
        )
    own = explanation.evenly(MOST_PATIENTS)
    found = refit_figures(own, refits, catalogue)
    by_fold = refit_figures(own, folds, catalogue)
    agreement = {"refits": rank_agreement(found.mechanism_importance)}
    if folds:
        agreement["folds"] = rank_agreement(by_fold.mechanism_importance)
    return Stability(
        mechanisms=mechanism_table(own, found, by_fold),
        features=feature_table(own, found, direction_agreement(own, catalogue, endpoint)),
        rank_agreement=pd.DataFrame.from_dict(agreement, orient="index").rename_axis("between"),
        n_patients=len(own.features),
        n_refits=len(refits),
        n_folds=len(folds),
        scale=explanation.scale,
    )
