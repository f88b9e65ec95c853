"""Random survival forest, grown by scikit-survival, saved and explained as an XGBoost model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pandas as pd

from nbrelapse.errors import InputError
from nbrelapse.models.base import Attribution, Features, ModelState
from nbrelapse.models.design import _training_order
from nbrelapse.models.hazards import partial_log_likelihood
from nbrelapse.models.stratified import _on_own_clock
from nbrelapse.models.survival import SurvivalModel
from nbrelapse.models.trees import _TreeModel

if TYPE_CHECKING:
    import optuna
    import xgboost
    from sksurv.ensemble import RandomSurvivalForest

    from nbrelapse.outcome import Outcome

_FEWEST_TREES = 50
"""A patient is in the bag of every tree with probability 0.632 ** trees: below one in a thousand million from here."""

_PSEUDO_EVENT = 1.0
"""Added to the expected number of events, so that a patient whose leaves hold none has a finite log risk. A choice."""

_SLOPES = (0.01, 5.0)
"""Above 0 the log risk ranks patients as the forest does, even where it learned nothing."""


class Forest(_TreeModel, SurvivalModel):
    """Random survival forest (scikit-survival; Ishwaran 2008, 10.1214/08-AOAS169) on the log-hazard scale.

    The forest's score is its ensemble mortality m: the events expected, were all patients like this one. The log
    risk is ``slope * log(m + 1)``, centred. Mortality averages over trees and is drawn to the middle, so the slope is
    not 1: it is that of a Cox regression on the mortality that each training patient is given by the trees grown
    without him, with a normal prior of mean 1 and standard deviation 1. Patients who stand in X more than once
    (by its index), such as the copies in a bootstrap sample, are left out of that regression: with a copy in the bag
    nobody is out of it. The hazards rest on the same mortality: within the trees' own patients it is too far apart.

    See :class:`_TreeModel` for what becomes of missing values.

    Parameters
    ----------
    columns : sequence of str, optional
        Columns of X that the model reads; all of them by default.
    n_estimators : int
        Trees, at least 50.
    min_samples_leaf : int
        Patients in a leaf, at least.
    max_features : float
        Share of the features that are tried at each split, in (0, 1].
    strata : mapping of str to str, optional
        The study of each training patient, see :class:`RiskModel`. The trees, which know no strata, are grown on times
        that are each study's own cumulative hazard; slope and competing risk are stratified.
    seed : int

    Attributes
    ----------
    booster_ : xgboost.Booster
        Its margin is the ensemble mortality.
    slope_ : float
        Log hazard ratio per unit of ``log(m + 1)``.
    offset_ : float
        Mean of ``slope_ * log(m + 1)`` in training; log risks are relative to it.
    baseline_, competing_
        See :class:`SurvivalModel`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"mycn__amplified": rng.integers(0, 2, 200).astype(float)})
    >>> y = np.zeros(200, dtype=[("event", np.int8), ("time", float)])
    >>> y["event"], y["time"] = 1, rng.exponential(1000 / np.exp(X["mycn__amplified"].to_numpy()))
    >>> model = Forest(n_estimators=50).fit(X, y)
    >>> low, high = model.predict_log_risk(pd.DataFrame({"mycn__amplified": [0.0, 1.0]}))
    >>> bool(high - low > 0.5)
    True
    """

    family: ClassVar[str] = "forest"

    def __init__(
        self,
        columns: Sequence[str] | None = None,
        *,
        n_estimators: int = 200,
        min_samples_leaf: int = 10,
        max_features: float = 0.2,
        strata: Mapping[str, str] | pd.Series | None = None,
        seed: int = 0,
    ) -> None:
        self.columns = columns
        self.n_estimators = n_estimators
        self.min_samples_leaf = min_samples_leaf
        self.max_features = max_features
        self.strata = strata
        self.seed = seed

    def suggest(self, trial: optuna.Trial) -> dict[str, Any]:
        """Propose a size of leaf and a share of features; more trees are never worse, so they are not tuned."""
        return {
            "min_samples_leaf": trial.suggest_int("min_samples_leaf", 5, 40, log=True),
            "max_features": trial.suggest_float("max_features", 0.05, 0.5, log=True),
        }

    def fit(self, X: Features, y: Outcome | pd.Series | np.ndarray) -> Self:
        """Grow the trees, and estimate the slope and the hazards.

        Parameters
        ----------
        X : FeatureTable, DataFrame or ndarray of shape (n_samples, n_features)
        y : Outcome or structured ndarray of shape (n_samples,)

        Raises
        ------
        InputError
            X and y are of other patients, y is no time to an event, a column cannot be read, fewer than two
            patients had the event, or a parameter is out of its range.
        """
        X, y = self._training(X, y)
        from sksurv.ensemble import RandomSurvivalForest
        from sksurv.util import Surv

        self._check_parameters()
        outcome, strata = y, self._training_strata(X, y)
        values, y = self._read_training(X, outcome)
        self._medians = np.median(values, axis=0)
        forest = RandomSurvivalForest(
            self.n_estimators,
            min_samples_split=2 * self.min_samples_leaf,
            min_samples_leaf=self.min_samples_leaf,
            max_features=self.max_features,
            low_memory=True,
            n_jobs=1,
            random_state=self.seed,
        )
        grown_on = y if strata is None else _on_own_clock(y, strata)
        forest.fit(values, Surv.from_arrays(grown_on["event"] == 1, grown_on["time"]))
        self.booster_ = _forest_as_booster(forest)
        mortality = _out_of_bag_mortality(forest, values)
        alone = ~X.index[_training_order(X, outcome, self.columns)].duplicated(keep=False)
        self.slope_ = _slope(y[alone], mortality[alone], None if strata is None else strata[alone])
        self.offset_ = 0.0
        self.offset_ = float(self._log_risk(self._margin(self._matrix(values))).mean())
        self._fit_hazards(values, y, self._log_risk(mortality), strata)
        return self

    @property
    def exact_contributions(self) -> bool:
        """Return False: they are exact for the mortality, and approximate for the log risk."""
        return False

    def _check_parameters(self) -> None:
        if self.n_estimators < _FEWEST_TREES:
            raise InputError(
                f"illegal n_estimators {self.n_estimators!r}",
                column="n_estimators",
                expected=f"at least {_FEWEST_TREES}, so that every patient is left out of some trees",
            )
        if self.min_samples_leaf < 1:
            raise InputError(
                f"illegal min_samples_leaf {self.min_samples_leaf!r}", column="min_samples_leaf", expected="at least 1"
            )
        if not 0 < self.max_features <= 1:
            raise InputError(
                f"illegal max_features {self.max_features!r}", column="max_features", expected="above 0, at most 1"
            )

    def _log_risk(self, mortality: np.ndarray) -> np.ndarray:
        return self.slope_ * np.log(mortality + _PSEUDO_EVENT) - self.offset_

    def predict_log_risk(self, X: Features) -> np.ndarray:
        """Log relative hazard against the mean training patient, shape (n_samples,)."""
        X = self._patients(X)
        return self._log_risk(self._margin(self._read(X)))

    def attribute(self, X: Features, background: Features | None = None) -> Attribution:
        """SHAP values of the mortality, brought to the log-hazard scale in proportion.

        The values of the mortality are exact, path-dependent or interventional; see :meth:`RiskModel.attribute`. A
        patient's are multiplied by one factor, the difference of the log risk over the difference of the mortality
        from where the values start, so that they add up to the log risk. They approximate the SHAP values of the log
        risk itself, of which no exact method is known that could be paid for: the logarithm bends, and they share its
        bend in proportion. On a small forest the largest was off by a quarter in the median patient, and the leading
        feature was another in 2 to 3 of 30 patients. With a background the baseline is the log risk at its mean
        mortality, not its mean log risk.
        """
        X = self._patients(X)
        background = None if background is None else self._patients(background)
        expected, contributions = self._margin_contributions(X, background)
        start = expected + _PSEUDO_EVENT
        relative = contributions.sum(axis=1, keepdims=True) / start
        # log1p(r) / r, 1 at r = 0; r > -1, as mortality is never negative.
        near = np.abs(relative) < 1e-8
        factor = np.where(near, 1.0, np.log1p(relative) / np.where(near, 1.0, relative))
        values = self.slope_ * factor * contributions / start
        baseline = float(self._log_risk(np.array(expected)))
        # 32-bit sums of the mortality are off by more than a rounding error where it is low and its logarithm steep.
        rounding = self.predict_log_risk(X) - baseline - values.sum(axis=1)
        size = np.abs(values)
        values += rounding[:, None] * size / np.maximum(size.sum(axis=1, keepdims=True), np.finfo(float).tiny)
        return Attribution(baseline, self._as_given(values, X.index))

    def state(self) -> ModelState:
        """Return the fitted model: JSON data, and the trees as UBJSON."""
        calibration = {"slope": self.slope_, "offset": self.offset_}
        return ModelState(self._document() | calibration | self._hazards(), self._blobs())

    @classmethod
    def from_state(cls, state: ModelState) -> Self:
        """Return the fitted model again."""
        model = super().from_state(state)
        model.slope_ = float(state.document["slope"])
        model.offset_ = float(state.document["offset"])
        model._read_hazards(state.document)
        return model


def _out_of_bag_mortality(forest: RandomSurvivalForest, values: np.ndarray) -> np.ndarray:
    """Return each training patient's mean mortality in the trees that were grown without him."""
    data = values.astype(np.float32)
    total, trees = np.zeros(len(data)), np.zeros(len(data))
    for tree, bag in zip(forest.estimators_, forest.estimators_samples_, strict=True):
        outside = np.ones(len(data), dtype=bool)
        outside[bag] = False
        total[outside] += tree.tree_.predict(data[outside])[:, 0]
        trees += outside
    return total / np.maximum(trees, 1)


def _slope(y: np.ndarray, mortality: np.ndarray, strata: np.ndarray | None) -> float:
    """Maximise the partial likelihood of ``slope * log(mortality + 1)`` and the prior of the slope."""
    from scipy.optimize import minimize_scalar

    score = np.log(mortality + _PSEUDO_EVENT)
    events = int((y["event"] == 1).sum())
    if not events:
        return 1.0

    def minus_log_posterior(slope: float) -> float:
        return (slope - 1) ** 2 / 2 - events * partial_log_likelihood(y, slope * score, strata)

    return float(minimize_scalar(minus_log_posterior, bounds=_SLOPES, method="bounded").x)


_NO_PARENT = 2**31 - 1
"""What XGBoost writes as the parent of a root."""

_LEAF = -1
"""Child of a leaf, in both libraries."""


def _forest_as_booster(forest: RandomSurvivalForest) -> xgboost.Booster:
    """Return an XGBoost model whose margin is the forest's risk score, the ensemble mortality.

    Both libraries split 32-bit floats: scikit-survival sends ``x <= t`` to the left, XGBoost ``x < t``, so that each
    threshold becomes the next float above. A leaf's value is its mortality over the number of trees; the cover that
    path-dependent TreeSHAP weighs branches by is the number of bootstrapped training patients in a node.

    Parameters
    ----------
    forest : sksurv.ensemble.RandomSurvivalForest
        Fitted with ``low_memory=True``: a leaf then holds its mortality and nothing else.

    Returns
    -------
    xgboost.Booster
        Its margin equals ``forest.predict`` to the precision of 32-bit sums.

    Examples
    --------
    >>> from sksurv.ensemble import RandomSurvivalForest
    >>> import xgboost
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.normal(size=(80, 2)), np.array([(True, t) for t in rng.exponential(size=80)], dtype="?, f8")
    >>> forest = RandomSurvivalForest(50, low_memory=True, random_state=0).fit(X, y)
    >>> margin = _forest_as_booster(forest).predict(xgboost.DMatrix(X), output_margin=True)
    >>> bool(np.allclose(margin, forest.predict(X), rtol=1e-6))
    True
    """
    import xgboost

    count, n_features = len(forest.estimators_), forest.n_features_in_
    trees = [_tree(number, tree.tree_, count, n_features) for number, tree in enumerate(forest.estimators_)]
    document = {
        "version": [2, 0, 0],
        "learner": {
            "attributes": {},
            "feature_names": [],
            "feature_types": [],
            "gradient_booster": {
                "name": "gbtree",
                "model": {
                    "gbtree_model_param": {"num_parallel_tree": "1", "num_trees": str(count)},
                    "iteration_indptr": list(range(count + 1)),
                    "tree_info": [0] * count,
                    "trees": trees,
                },
            },
            "learner_model_param": {
                "base_score": "0E0",
                "boost_from_average": "0",
                "num_class": "0",
                "num_feature": str(n_features),
                "num_target": "1",
            },
            "objective": {"name": "reg:squarederror", "reg_loss_param": {"scale_pos_weight": "1"}},
        },
    }
    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(bytearray(json.dumps(document, separators=(",", ":")).encode()))
    return booster


def _tree(number: int, tree: Any, count: int, n_features: int) -> dict[str, Any]:
    order = _siblings_together(tree.children_left, tree.children_right)
    place = np.argsort(order)
    inner = tree.children_left[order] != _LEAF
    left, right = (np.where(inner, place[side[order]], _LEAF) for side in (tree.children_left, tree.children_right))
    parents = np.full(len(order), _NO_PARENT)
    parents[left[inner]] = parents[right[inner]] = np.flatnonzero(inner)
    value = tree.value[order, 0, 0] / count
    zeros = [0] * len(order)
    return {
        "id": number,
        "tree_param": {
            "num_deleted": "0",
            "num_feature": str(n_features),
            "num_nodes": str(len(order)),
            "size_leaf_vector": "1",
        },
        "left_children": left.tolist(),
        "right_children": right.tolist(),
        "parents": parents.tolist(),
        "split_indices": np.where(inner, tree.feature[order], 0).tolist(),
        "split_conditions": _shortest(np.where(inner, _next_above(tree.threshold[order]), value)),
        "split_type": zeros,
        "default_left": np.where(inner, tree.missing_go_to_left[order], 0).tolist(),
        "base_weights": _shortest(value),
        "sum_hessian": _shortest(tree.weighted_n_node_samples[order]),
        "loss_changes": [0.0] * len(order),
        "categories": [],
        "categories_nodes": [],
        "categories_segments": [],
        "categories_sizes": [],
    }


def _siblings_together(left: np.ndarray, right: np.ndarray) -> list[int]:
    """Return the nodes level by level: XGBoost looks for the right child just behind the left one."""
    order = [0]
    for node in order:
        if left[node] != _LEAF:
            order += [left[node], right[node]]
    return order


def _next_above(thresholds: np.ndarray) -> np.ndarray:
    """Return the smallest 32-bit float above each 64-bit threshold.

    An infinite one parts the missing from all others; JSON has no infinity, and the largest float does the same.
    """
    nearest = np.minimum(thresholds, np.finfo(np.float32).max).astype(np.float32)
    return np.where(nearest > thresholds, nearest, np.nextafter(nearest, np.finfo(np.float32).max))


def _shortest(values: np.ndarray) -> list[float]:
    """Return numbers whose JSON text is the shortest that names each 32-bit float."""
    return [float(str(value)) for value in values.astype(np.float32)]
