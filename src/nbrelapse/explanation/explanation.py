"""What a model's predictions are made of, by feature and by mechanism, for patients and for groups."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from itertools import combinations
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
import pandas as pd
from scipy.stats import norm

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.errors import InputError, NbRelapseError
from nbrelapse.explanation.plotting import _ExplanationPlots
from nbrelapse.mechanisms.build import build_features
from nbrelapse.mechanisms.catalogue import Catalogue, load_catalogue
from nbrelapse.mechanisms.feature_table import FeatureTable
from nbrelapse.models.base import Attribution, RiskModel

if TYPE_CHECKING:
    import shap

_TOLERANCE = 1e-5
"""Largest tolerated |baseline + sum of contributions - prediction|, in proportion more for log risks beyond 10; XGBoost
computes its contributions in float32."""


APPROXIMATE = (
    "The contributions of a random forest are approximate: exact for the expected number of events, shared out in "
    "proportion on the log scale. Single ones may be off by a quarter or more, and the order of the largest may differ."
)
"""Said wherever contributions are shown that are not exact."""

_SHOWN = 12
"""Mechanisms that the text of an explanation lists at most."""


@runtime_checkable
class _SavedModel(Protocol):
    """A fitted model together with what its features are built from, such as a bundle."""

    @property
    def model(self) -> RiskModel:
        """The fitted model."""

    @property
    def catalogue(self) -> Catalogue:
        """The entries that it reads."""

    @property
    def gene_sets(self) -> Mapping[str, list[str]]:
        """The gene sets that they need."""


@dataclass(frozen=True, repr=False)
class Explanation:
    """Additive explanation of a model's predictions.

    :func:`nbrelapse.explanation.explain` builds it on the scale of the log risk,
    :func:`nbrelapse.explanation.probability` brings it to that of the probability.
    ``baseline + mechanisms.sum(axis=1) == baseline + features.sum(axis=1) == prediction``. The rows of every table are
    the same patients in the same order.

    Parameters
    ----------
    baseline : float
        What the contributions start from. The mean log risk of the background where one was given (of a forest the log
        risk at its mean mortality); without one the log risk of the training mean (0 in Cox regression) for linear
        models, and for trees the mean over their leaves, weighted as in training, which lies near it. Of a probability:
        that at this log risk.
    features : DataFrame of shape (n_patients, n_features)
        SHAP values; exact where ``exact`` says so (see :meth:`RiskModel.attribute`).
    mechanisms : DataFrame of shape (n_patients, n_mechanisms)
        Sums of the features of each mechanism, in the catalogue's order.
    values : DataFrame of shape (n_patients, n_features)
        What the model saw; NaN = not assayed or unknown.
    prediction : Series of shape (n_patients,)
        The model's log relative hazard, log odds, or probability of the event.
    mechanism_of : Series
        The mechanism of each feature.
    constrained : frozenset of str
        Features that the model could use in the expected direction only: that they act as expected is no finding. Of
        a blend, those that every member which weighs is held to.
    scale : {"log hazard", "log odds", "probability"}
        What ``prediction`` is.
    horizon_days : float or None
        Of a probability, the days by which the event is to happen; None for a binary endpoint.
    background : DataFrame of shape (n_background, n_features) or None
        The patients compared with; None: path-dependent, or against the training mean.
    catalogue : Catalogue, optional
        Where titles and colours come from; the packaged one by default.
    exact : bool
        Whether the contributions are the Shapley values of the log risk; those of a forest are approximate.

    Examples
    --------
    >>> features = pd.DataFrame({"alk__gain": [0.5, -0.25], "mycn__amplified": [1.0, -0.5]}, index=["P1", "P2"])
    >>> mechanism_of = pd.Series({"alk__gain": "alk", "mycn__amplified": "mycn"})
    >>> values = pd.DataFrame({"alk__gain": [1.0, 0.0], "mycn__amplified": [1.0, None]}, index=["P1", "P2"])
    >>> found = Explanation(
    ...     0.0, features, roll_up(features, mechanism_of), values, features.sum(axis=1), mechanism_of
    ... )
    >>> found
    Explanation of the log hazard: patients 2, features 2, mechanisms 2
    baseline 0.00, predictions -0.75 to 1.50
               mean absolute contribution  of it not assayed
    mechanism
    mycn                             0.75                33%
    alk                              0.38                 0%
    >>> found.patient("P2")
    Explanation of the log hazard of one patient: features 2, mechanisms 2
    baseline 0.00, prediction -0.75
               contribution  of it not assayed
    mechanism
    mycn              -0.50              -0.50
    alk               -0.25               0.00
    """

    baseline: float
    features: pd.DataFrame
    mechanisms: pd.DataFrame
    values: pd.DataFrame
    prediction: pd.Series
    mechanism_of: pd.Series
    constrained: frozenset[str] = frozenset()
    scale: str = "log hazard"
    horizon_days: float | None = None
    background: pd.DataFrame | None = None
    catalogue: Catalogue | None = field(default=None, compare=False)
    exact: bool = True

    @property
    def plot(self) -> _ExplanationPlots:
        """Pictures: ``plot()``, ``plot.mechanisms()``, ``plot.beeswarm()``, ``plot.dependence(feature)``, and more."""
        return _ExplanationPlots(self)

    @property
    def mechanisms_not_assayed(self) -> pd.DataFrame:
        """The part of ``mechanisms`` that comes from missing values: it speaks of absence, not of the tumour."""
        return roll_up(self.features.where(self.values.isna(), 0.0), self.mechanism_of)[self.mechanisms.columns]

    @property
    def mechanisms_observed(self) -> pd.DataFrame:
        """The part of ``mechanisms`` that comes from what was measured."""
        return roll_up(self.features.where(self.values.notna(), 0.0), self.mechanism_of)[self.mechanisms.columns]

    def by_assay(self, catalogue: Catalogue) -> pd.DataFrame:
        """Return contributions by what was measured: a column an assay or layer, in the order of the features.

        Sums of the features' contributions, as ``mechanisms`` are: with the baseline they give the prediction.

        Parameters
        ----------
        catalogue : Catalogue
            It defines the features, as that of a saved model does.

        Returns
        -------
        DataFrame of shape (n_patients, n_assays)
        """
        assays = pd.Series({name: catalogue.features[str(name)].assay for name in self.features.columns})
        return roll_up(self.features, assays)

    def mechanism_importance(self) -> pd.Series:
        """Mean absolute contribution of each mechanism to the prediction, largest first."""
        return self.mechanisms.abs().mean().sort_values(ascending=False, kind="stable")

    def feature_importance(self) -> pd.Series:
        """Mean absolute contribution of each feature to the prediction, largest first."""
        return self.features.abs().mean().sort_values(ascending=False, kind="stable")

    def not_assayed_share(self) -> pd.Series:
        """Share of each mechanism's absolute feature contributions that comes from missing values, 0 to 1."""
        size = self.features.abs().sum()
        missing = self.features.abs().where(self.values.isna(), 0.0).sum()
        by_mechanism = pd.DataFrame({"all": size, "missing": missing}).groupby(self.mechanism_of, sort=False).sum()
        share = by_mechanism["missing"] / by_mechanism["all"].where(by_mechanism["all"] > 0)
        return share.fillna(0.0)[self.mechanisms.columns]

    def evenly(self, most: int) -> Explanation:
        """Return this explanation of at most so many patients, evenly spaced."""
        n = len(self.features)
        if n <= most:
            return self
        return self._rows(np.linspace(0, n - 1, most).round().astype(int))

    def patient(self, patient_id: Hashable) -> Explanation:
        """Return the explanation of one patient.

        Parameters
        ----------
        patient_id : str
            A row label of the tables.

        Returns
        -------
        Explanation

        Raises
        ------
        InputError
            The explanation has no such patient.
        """
        found = np.flatnonzero(self.features.index == patient_id)
        if not len(found):
            raise InputError(
                "the patient is not among the explained ones",
                column="patient_id",
                expected=f"an id of its {len(self.features)} patients",
                fix="list them with explanation.features.index",
            )
        return self._rows(found[:1])

    def _rows(self, rows: np.ndarray) -> Explanation:
        return replace(
            self,
            features=self.features.iloc[rows],
            mechanisms=self.mechanisms.iloc[rows],
            values=self.values.iloc[rows],
            prediction=self.prediction.iloc[rows],
        )

    def to_shap(self) -> shap.Explanation:
        """Return the feature attributions as shap's own object, for its plots in a notebook."""
        import shap

        return shap.Explanation(
            values=self.features.to_numpy(),
            base_values=self.baseline,
            data=self.values.to_numpy(),
            feature_names=list(self.features.columns),
        )

    def __repr__(self) -> str:
        return "\n".join([*self._headlines(), self._overview().to_string()])

    def _repr_html_(self) -> str:
        return f"<p>{'<br>'.join(escape(line) for line in self._headlines())}</p>{self._overview().to_html()}"

    def _headlines(self) -> list[str]:
        n, risk = len(self.features), self.prediction
        size = f"features {self.features.shape[1]}, mechanisms {self.mechanisms.shape[1]}"
        patients = f" of one patient: {size}" if n == 1 else f": patients {n}, {size}"
        predicted = f"prediction {risk.iloc[0]:.2f}" if n == 1 else f"predictions {risk.min():.2f} to {risk.max():.2f}"
        approximate = [] if self.exact else [APPROXIMATE]
        return [
            f"Explanation of the {self.scale}{patients}",
            f"baseline {self.baseline:.2f}, {predicted}",
            *approximate,
        ]

    def _overview(self) -> pd.DataFrame:
        """Return the leading mechanisms as text, the contributions of one patient with their sign."""
        order = self.mechanism_importance().index[:_SHOWN]
        if len(self.features) == 1:
            table = pd.DataFrame(
                {"contribution": self.mechanisms.iloc[0], "of it not assayed": self.mechanisms_not_assayed.iloc[0]}
            ).map("{:.2f}".format)
        else:
            size = self.mechanism_importance().map("{:.2f}".format)
            absent = self.not_assayed_share().map("{:.0%}".format)
            table = pd.DataFrame({"mean absolute contribution": size, "of it not assayed": absent})
        return table.loc[order].rename_axis("mechanism")


def roll_up(features: pd.DataFrame, mechanism_of: pd.Series) -> pd.DataFrame:
    """Sum the columns of each mechanism.

    Parameters
    ----------
    features : DataFrame of shape (n_patients, n_features)
    mechanism_of : Series
        The mechanism of each column of ``features``.

    Returns
    -------
    DataFrame of shape (n_patients, n_mechanisms)
        Mechanisms in their order of first appearance in ``mechanism_of``.

    Examples
    --------
    >>> features = pd.DataFrame({"alk__a": [0.5], "alk__b": [0.25], "mycn__a": [-1.0]})
    >>> roll_up(features, pd.Series({"alk__a": "alk", "alk__b": "alk", "mycn__a": "mycn"}))
        alk  mycn
    0  0.75  -1.0
    """
    mechanisms = mechanism_of.reindex(features.columns).to_numpy()
    return pd.DataFrame(sums_by_mechanism(features.to_numpy(), mechanisms), index=features.index)


def sums_by_mechanism(values: np.ndarray, mechanisms: np.ndarray) -> dict[str, np.ndarray]:
    """Sum the columns of each mechanism, as :func:`roll_up` does, without tables.

    Parameters
    ----------
    values : ndarray of shape (n_patients, n_features)
    mechanisms : ndarray of str, shape (n_features,)

    Returns
    -------
    dict of str to ndarray of shape (n_patients,)
        By mechanism, in their order of first appearance.
    """
    # The last bits of sums depend on the layout in memory, which depends on how many patients there are.
    return {
        str(name): np.ascontiguousarray(values[:, mechanisms == name]).sum(axis=1) for name in dict.fromkeys(mechanisms)
    }


def explain(
    model: RiskModel | _SavedModel,
    X: pd.DataFrame | FeatureTable | Cohort,
    catalogue: Catalogue | None = None,
    *,
    background: pd.DataFrame | FeatureTable | Cohort | None = None,
) -> Explanation:
    """Explain a model's log risks by feature and by mechanism.

    Parameters
    ----------
    model : RiskModel or Bundle
        A fitted model, or a saved one.
    X : DataFrame or FeatureTable of shape (n_patients, n_features), or Cohort
        Its features; NaN = not assayed. Columns that the model does not read are left out. Of a cohort they are built.
    catalogue : Catalogue, optional
        Says which mechanism each feature belongs to. By default that of the saved model, of the feature table, or the
        packaged one, in this order.
    background : DataFrame or FeatureTable of shape (n_background, n_features), or Cohort, optional
        Patients to compare with, for interventional contributions; see :meth:`RiskModel.attribute`. Some hundred are
        enough, and time grows with their number.

    Returns
    -------
    Explanation

    Raises
    ------
    InputError
        The model reads a feature that the catalogue does not know, or the background cannot be read.
    NbRelapseError
        The contributions do not add up to the log risk: the model's ``attribute`` and ``predict_log_risk``
        contradict each other, so no explanation is given.

    Examples
    --------
    >>> from nbrelapse.models.logistic import Logistic
    >>> X = pd.DataFrame({"mycn__amplified": [0.0, 1.0] * 20, "clinical__age_months": [3.0, 9.0, 30.0, 50.0] * 10})
    >>> y = np.array([0, 1, 0, 1, 1, 1, 0, 1] * 5, dtype=np.int8)
    >>> found = explain(Logistic(penalty=0.01, calibration_folds=0).fit(X, y), X)
    >>> list(found.mechanisms), found.scale
    (['mycn', 'clinical'], 'log odds')
    >>> found.patient(1).mechanisms["mycn"].item() > 0
    True
    """
    gene_sets: Mapping[str, Sequence[str]] | None = None
    if isinstance(model, _SavedModel):
        catalogue = model.catalogue if catalogue is None else catalogue
        gene_sets, model = model.gene_sets, model.model
    if catalogue is None:
        catalogue = X.catalogue if isinstance(X, FeatureTable) else load_catalogue()
    X = _values(X, catalogue, gene_sets)
    background = None if background is None else _values(background, catalogue, gene_sets)
    return _explain(model, X, catalogue, background)


def _values(
    X: pd.DataFrame | FeatureTable | Cohort, catalogue: Catalogue, gene_sets: Mapping[str, Sequence[str]] | None
) -> pd.DataFrame:
    if isinstance(X, Cohort):
        return build_features(X, catalogue, gene_sets).values
    return X.values if isinstance(X, FeatureTable) else X


def _explain(model: RiskModel, X: pd.DataFrame, catalogue: Catalogue, background: pd.DataFrame | None) -> Explanation:
    attribution, log_risk = _attributed(model, X, background)
    features = attribution.values
    mechanism_of = _mechanism_of(features.columns, catalogue)
    order = [name for name in catalogue.mechanisms if name in set(mechanism_of)]
    return Explanation(
        baseline=float(attribution.baseline),
        features=features,
        mechanisms=roll_up(features, mechanism_of)[order],
        values=X.copy(deep=False) if X.columns.equals(features.columns) else X[list(features.columns)],
        prediction=pd.Series(log_risk, index=features.index, name="log_risk"),
        mechanism_of=mechanism_of,
        constrained=getattr(model, "constrained", frozenset()),
        scale=model.kind.scale,
        background=None if background is None else background[list(features.columns)],
        catalogue=catalogue,
        exact=getattr(model, "exact_contributions", True),
    )


def _attributed(model: RiskModel, X: pd.DataFrame, background: pd.DataFrame | None) -> tuple[Attribution, np.ndarray]:
    """Return the contributions, which add up to the log risk, and the log risk."""
    attribution = model.attribute(X, background)
    log_risk = model.predict_log_risk(X)
    _refuse_a_gap(attribution.baseline + attribution.values.to_numpy().sum(axis=1) - log_risk, log_risk, "log risk")
    return attribution, log_risk


def _mechanism_of(columns: pd.Index, catalogue: Catalogue) -> pd.Series:
    given = columns.tolist()  # to go through the index itself takes much longer
    unknown = [name for name in given if name not in catalogue.features]
    if unknown:
        raise InputError(
            "the model reads features that the catalogue does not know",
            column=", ".join(unknown[:5]),
            fix="use the catalogue that the model was trained with",
        )
    names = [catalogue.features[name].mechanism for name in given]
    return pd.Series(names, index=columns, name="mechanism", dtype="object")


def _refuse_a_gap(gap: np.ndarray, prediction: np.ndarray, what: str) -> None:
    """Refuse contributions that do not add up to what they explain.

    Parameters
    ----------
    gap : ndarray of shape (n_patients,)
        Baseline plus contributions less prediction.
    prediction : ndarray of shape (n_patients,)
    what : str
        What is predicted, in words.

    Raises
    ------
    NbRelapseError
        A gap is larger than ``TOLERANCE``, or no number.
    """
    worst = float(np.max(np.abs(gap) / np.maximum(1.0, np.abs(prediction) / 10), initial=0.0))
    if not worst <= _TOLERANCE:
        raise NbRelapseError(
            f"the contributions do not add up to the {what}: largest gap {worst:.3g}, tolerated {_TOLERANCE:g}"
        )


def attribution_table(explanation: Explanation, evidence: np.ndarray | None = None) -> pd.DataFrame:
    """Lay out what an explanation says of each patient.

    Parameters
    ----------
    explanation : Explanation
    evidence : ndarray of shape (n_patients,), optional
        How much is known of each patient, 0 to 1.

    Returns
    -------
    DataFrame of shape (n_patients, n_columns)
        Rows as in the explanation, ``patient_id`` first; ``log_risk`` or ``probability``, the prediction; of a
        probability by a time ``horizon_days``; ``baseline``; ``evidence``, where it was given; ``mechanism__<name>``,
        which add up to the prediction with the baseline; ``not_assayed__<name>``, the part of each that comes from
        missing values; and the features, which add up to it, too.

    Examples
    --------
    >>> features = pd.DataFrame({"alk__a": [0.5, -0.25]}, index=["P1", "P2"])
    >>> mechanisms = features.set_axis(["alk"], axis=1)
    >>> values = pd.DataFrame({"alk__a": [1.0, None]}, index=["P1", "P2"])
    >>> total = features.sum(axis=1).rename("log_risk")
    >>> mechanism_of = pd.Series({"alk__a": "alk"})
    >>> attribution_table(Explanation(0.0, features, mechanisms, values, total, mechanism_of)).to_dict("records")[1]
    {'patient_id': 'P2', 'log_risk': -0.25, 'baseline': 0.0, 'mechanism__alk': -0.25, 'not_assayed__alk': -0.25,
     'alk__a': -0.25}
    """
    head = {
        str(explanation.prediction.name): explanation.prediction,
        **({} if explanation.horizon_days is None else {"horizon_days": explanation.horizon_days}),
        "baseline": explanation.baseline,
        **({} if evidence is None else {"evidence": evidence}),
    }
    parts = [
        pd.DataFrame(head, index=explanation.features.index),
        explanation.mechanisms.add_prefix("mechanism__"),
        explanation.mechanisms_not_assayed.add_prefix("not_assayed__"),
        explanation.features,
    ]
    return pd.concat(parts, axis=1).rename_axis("patient_id").reset_index()


LEAST_PATIENTS = 10
"""Groups of fewer are left out: a mean of so few says little of the group, and much of single patients. A choice."""


@dataclass(frozen=True)
class GroupContributions:
    """Mean contributions in groups of patients.

    Parameters
    ----------
    mean : DataFrame of shape (n_mechanisms, n_groups)
        Mean signed contribution. Mechanisms as in the explanation, groups in their order.
    n : Series
        Patients of each group that is shown.
    left_out : tuple of str
        Groups of fewer patients than asked for.
    unknown : int
        Patients of no known group.
    """

    mean: pd.DataFrame
    n: pd.Series
    left_out: tuple[str, ...]
    unknown: int


def contributions_by_group(
    mechanisms: pd.DataFrame, group: pd.Series, least: int = LEAST_PATIENTS
) -> GroupContributions:
    """Average the contributions of the mechanisms within groups of patients.

    Parameters
    ----------
    mechanisms : DataFrame of shape (n_patients, n_mechanisms)
        See :class:`nbrelapse.explanation.Explanation`.
    group : Series
        Categorical, by patient; NaN or no entry where it is unknown. The order of its categories is kept.
    least : int
        Patients that a group needs.

    Returns
    -------
    GroupContributions

    Examples
    --------
    >>> mechanisms = pd.DataFrame({"mycn": [0.5, 0.25, -1.0, 3.0]}, index=["a", "b", "c", "d"])
    >>> group = pd.Series(["high", "high", "low", None], index=["a", "b", "c", "d"], dtype="category")
    >>> found = contributions_by_group(mechanisms, group, least=2)
    >>> found.mean.loc["mycn"].to_dict(), found.n.to_dict(), found.left_out, found.unknown
    ({'high': 0.375}, {'high': 2}, ('low',), 1)
    """
    own = group.reindex(mechanisms.index)
    counts = own.value_counts(sort=False)
    shown = counts[counts >= least]
    mean = mechanisms.groupby(own, observed=False).mean().loc[list(shown.index)].T
    few = counts[(counts > 0) & (counts < least)]
    return GroupContributions(
        mean=mean.rename_axis(index="mechanism", columns="group"),
        n=shown.rename_axis("group"),
        left_out=tuple(str(name) for name in few.index),
        unknown=int(own.isna().sum()),
    )


_LEAST_EXPECTED = 5.0
"""Expected patients below which an interval by the normal approximation is not shown; the usual rule for tables of two
by two (Cochran 1954, 10.2307/3001616)."""

_RAISES = 0.05
"""Smallest contribution to the log risk (a hazard or odds ratio of 1.05) that raises it. A choice."""


def mechanism_cooccurrence(explanation: Explanation, raises: float = _RAISES) -> pd.DataFrame:
    r"""Count the patients in whom two mechanisms both raise the risk, against what independence would give.

    A mechanism raises a patient's risk where its observed part (see :attr:`Explanation.mechanisms_observed`) is at
    least ``raises``. Only patients count in whom each of the two has an observed feature that the model uses.

    Parameters
    ----------
    explanation : Explanation
    raises : float
        In units of the contributions, above 0.

    Returns
    -------
    DataFrame
        A row a pair of mechanisms that the model uses, in the order of the explanation: ``first``, ``second``;
        ``assayed`` (patients with both); ``both``, ``only_first``, ``only_second``, ``neither``; ``expected`` (patients
        with both under independence, given the margins); ``log_odds_ratio``, ``low``, ``high`` (natural logarithm, with
        1/2 added to every count, and Wald's 95 % interval: Haldane 1956, 10.1111/j.1469-1809.1955.tb01285.x);
        ``enough`` (every expected count of the table is 5 or more). The ratio is NaN where one of the mechanisms
        raises the risk of everybody or of nobody; ``expected`` is NaN where nobody has both.

    Notes
    -----
    Intervals are of single pairs: of many pairs, one in twenty excludes 0 by chance. Mechanisms may go together because
    their tumours do, because an assay measures both, or because the model shares one effect between them.

    Examples
    --------
    >>> values = pd.DataFrame({"alk__a": [1.0, 1.0, 0.0, 0.0], "mycn__b": [1.0, 0.0, 1.0, np.nan]})
    >>> mechanism_of = pd.Series({"alk__a": "alk", "mycn__b": "mycn"})
    >>> total = values.fillna(0.0)
    >>> own = Explanation(0.0, total, total.set_axis(["alk", "mycn"], axis=1), values, total.sum(axis=1), mechanism_of)
    >>> mechanism_cooccurrence(own)[["first", "second", "assayed", "both", "expected"]].values.tolist()
    [['alk', 'mycn', 3, 1, 1.3333333333333333]]
    """
    names = [str(name) for name, used in explanation.mechanisms.abs().max().items() if used > 0]
    assayed = _assayed(explanation, names)
    raising = (explanation.mechanisms_observed[names].to_numpy() >= raises) & assayed
    known, up = assayed.astype(float), raising.astype(float)
    counts = {"assayed": known.T @ known, "both": up.T @ up, "first": up.T @ known, "second": known.T @ up}
    left, right = np.array(list(combinations(range(len(names)), 2)), dtype=int).reshape(-1, 2).T
    n, both, first, second = (counts[name][left, right] for name in ("assayed", "both", "first", "second"))
    table = pd.DataFrame({"first": np.array(names, dtype=object)[left], "second": np.array(names, dtype=object)[right]})
    cells = np.column_stack([both, first - both, second - both, n - first - second + both]).round()
    table["assayed"] = n.round().astype(int)
    table[["both", "only_first", "only_second", "neither"]] = cells.astype(int)
    with np.errstate(invalid="ignore"):
        table["expected"] = first * second / n
        margins = np.column_stack([first, n - first]).min(axis=1) * np.column_stack([second, n - second]).min(axis=1)
        least = margins / n
    half = cells + 0.5
    ratio = np.log(half[:, 0] * half[:, 3] / (half[:, 1] * half[:, 2]))
    table["log_odds_ratio"] = np.where(least > 0, ratio, np.nan)
    spread = norm.ppf(0.975) * np.sqrt((1 / half).sum(axis=1))
    table["low"], table["high"] = table["log_odds_ratio"] - spread, table["log_odds_ratio"] + spread
    table["enough"] = least >= _LEAST_EXPECTED
    return table


def _assayed(explanation: Explanation, names: list[str]) -> np.ndarray:
    """Whether a mechanism has an observed feature that the model uses, a row a patient, a column a mechanism."""
    used = (explanation.features != 0).any()
    observed = explanation.values.notna().to_numpy() & used.to_numpy()
    mechanism_of = explanation.mechanism_of.reindex(explanation.values.columns).to_numpy()
    return np.column_stack([observed[:, mechanism_of == name].any(axis=1) for name in names] or [observed[:, :0]])
