"""Cox regression that starts from the literature, or from what a fitted model knows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pandas as pd
from scipy.optimize import nnls

from nbrelapse.errors import InputError
from nbrelapse.mechanisms.catalogue import PriorKnowledge
from nbrelapse.models.base import ModelState, RiskModel, _AsGiven
from nbrelapse.models.design import _Standardised
from nbrelapse.models.hazards import _ridge_cox, _spanned
from nbrelapse.models.linear import _LinearCox, _LinearModel

if TYPE_CHECKING:
    import optuna

_TRUST_PRECISION = 4.0
"""Of the trust's own prior, normal around 1: between 0 and 2 with 95 %. A choice."""


class CoxPrior(_LinearCox):
    r"""Cox regression with a ridge penalty toward expected effects, and a learned trust in them.

    A standardised feature's coefficient is :math:`\beta_j = \tau b_j + \delta_j`. The expected effects b come from
    the literature, see :func:`nbrelapse.models.prior._prior_effects`, or from a model of other patients, see
    :func:`nbrelapse.models.prior.prior_of_model`. The trust
    :math:`\tau` is learned together with :math:`\delta`: near 1 where the patients agree with what was expected,
    near 0 where they do not. Each :math:`\delta_j` has the prior variance :math:`1 / (\lambda k)`, with k the number
    of features in its block: a mechanism seen by forty expression scores may weigh as much as one seen by FISH.

    See :class:`_LinearModel` for what becomes of missing values, and for the other attributes.

    Parameters
    ----------
    columns : sequence of str, optional
        Columns of X that the model reads; all of them by default.
    prior : PriorKnowledge, optional
        What is expected. Without it the penalty is toward 0 and every feature is a block of its own.
    penalty : float, default 10
        :math:`\lambda` above: the precision of what a block weighs.
    not_assayed : {"mean", "indicator"}, default "mean"
        Whether that a patient was not assayed may speak.
    strata : mapping of str to str, optional
        The study of each training patient, see :class:`RiskModel`.

    Attributes
    ----------
    trust_ : float
        :math:`\tau`; NaN where nothing was expected of any feature.
    expected_ : ndarray of shape (n_features,)
        Expected log hazard ratios per unit of the feature, before the trust.
    baseline_ : BaselineHazard

    Examples
    --------
    >>> import pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"mycn__amplified": rng.integers(0, 2, 30).astype(float)})
    >>> y = np.zeros(30, dtype=[("event", np.int8), ("time", float)])
    >>> y["event"], y["time"] = 1, rng.exponential(1000 / np.exp(0.95 * X["mycn__amplified"].to_numpy()))
    >>> model = CoxPrior(prior=PriorKnowledge({"mycn__amplified": 0.95})).fit(X, y)
    >>> bool(0.5 < model.coefficients_[0] < 1.3)
    True
    """

    family: ClassVar[str] = "cox_prior"
    expected_ = _AsGiven("_expected_effects")
    reads_genes: ClassVar[bool] = True

    def __init__(
        self,
        columns: Sequence[str] | None = None,
        prior: PriorKnowledge | None = None,
        *,
        penalty: float = 10.0,
        not_assayed: str = "mean",
        strata: Mapping[str, str] | pd.Series | None = None,
    ) -> None:
        self.columns = columns
        self.prior = prior
        self.penalty = penalty
        self.not_assayed = not_assayed
        self.strata = strata

    def suggest(self, trial: optuna.Trial) -> dict[str, Any]:
        """Propose a penalty.

        Up to 30, at which a block may weigh some 0.2 beside what is expected of it. Beyond it the partial likelihood
        hardly falls, but among the training patients of SEQC the ranking did: 0.73 at 30 and 0.72 at 300, with 160.
        """
        return {"penalty": trial.suggest_float("penalty", 3.0, 30.0, log=True)}

    def _standardise(self, values: np.ndarray) -> _Standardised:
        """Standardise, and learn what is expected of the features: nothing here depends on the penalty."""
        found = super()._standardise(values)
        self._effects = self._expected(found)
        self._sizes = self._block_sizes(found)
        return _Weighed.of(found, self._sizes, self._effects)

    def _fit_standardised(self, found: _Standardised, y: np.ndarray, strata: np.ndarray | None) -> None:
        if not (0 < self.penalty < np.inf):
            raise InputError(f"illegal penalty {self.penalty!r}", column="penalty", expected="a number above 0")
        self._coefficients, self._missing_effects = found.unscale(self._solve(found, y, strata))
        self._expected_effects = found.unscale(self._effects)[0]

    def _expected(self, found: _Standardised) -> np.ndarray:
        """Return the expected effects of the columns of Z; 0 for indicators."""
        effects = np.zeros(found.Z.shape[1])
        if self.prior is not None and len(found.used):
            names = [str(name) for name in self._features[found.used]]
            Z = found.Z[:, : len(names)]
            effects[: len(names)] = _prior_effects(Z, found.scales[found.used], names, self.prior)
        return effects

    def _solve(self, found: _Standardised, y: np.ndarray, strata: np.ndarray | None) -> np.ndarray:
        self.trust_ = float("nan")
        if not found.Z.shape[1]:
            return np.zeros(0)
        assert isinstance(found, _Weighed)
        expected = self._effects
        penalty = np.full(found.design.shape[1], self.penalty)
        centre = np.zeros(len(penalty))
        if not expected.any():
            return found.effects(_ridge_cox(found.design, y, penalty, centre, strata))
        solution = _ridge_cox(
            np.column_stack([found.design, found.expected]),
            y,
            np.append(penalty, _TRUST_PRECISION),
            np.append(centre, 1.0),
            strata,
        )
        self.trust_ = float(solution[-1])
        return found.effects(solution[:-1]) + self.trust_ * expected

    def _block_sizes(self, found: _Standardised) -> np.ndarray:
        """Return how many columns of Z share each one's block; the indicators are a block."""
        blocks = {} if self.prior is None else self.prior.blocks
        names = [str(name) for name in self._features[found.used]]
        labels = [blocks.get(name, name) for name in names] + ["not assayed"] * len(found.groups)
        sizes = Counter(labels)
        return np.array([sizes[label] for label in labels], dtype=float)

    def _document(self) -> dict[str, Any]:
        document = super()._document()
        document["parameters"] |= {"prior": None if self.prior is None else self.prior.to_dict()}
        trust = None if np.isnan(self.trust_) else self.trust_
        return document | {"trust": trust, "expected": self._expected_effects.tolist()}

    @classmethod
    def from_state(cls, state: ModelState) -> Self:
        """Return the fitted model again."""
        document = state.document
        model = super().from_state(state)
        if model.prior is not None:
            model.prior = PriorKnowledge.from_dict(document["parameters"]["prior"])
        model.trust_ = float("nan") if document["trust"] is None else float(document["trust"])
        model._expected_effects = np.asarray(document["expected"], dtype=float)
        return model


@dataclass(frozen=True, eq=False)
class _Weighed(_Standardised):
    """Features that are penalised alike: each is divided by the root of the size of its block.

    Parameters
    ----------
    design : ndarray of shape (n_samples, n_coefficients)
        Of more features than patients, what the patients span of them: once for all penalties.
    roots : ndarray of shape (n_columns,)
        Of the sizes of the blocks.
    rotation : ndarray of shape (n_columns, n_coefficients), optional
        From coefficients of the design to those of the divided features; None where these are the design.
    expected : ndarray of shape (n_samples,)
        The log risks that are expected of the training patients.
    """

    design: np.ndarray
    roots: np.ndarray
    rotation: np.ndarray | None
    expected: np.ndarray

    @classmethod
    def of(cls, found: _Standardised, sizes: np.ndarray, effects: np.ndarray) -> Self:
        """Divide the columns by the roots of the sizes of their blocks."""
        roots = np.sqrt(sizes)
        design, rotation = found.Z / roots, None
        if design.shape[1] > len(design):
            design, rotation = _spanned(design)
        return cls(**vars(found), design=design, roots=roots, rotation=rotation, expected=found.Z @ effects)

    def effects(self, coefficients: np.ndarray) -> np.ndarray:
        """Turn coefficients of the design into those of the standardised features."""
        return (coefficients if self.rotation is None else self.rotation @ coefficients) / self.roots


def _prior_effects(Z: np.ndarray, scale: np.ndarray, names: Sequence[str], prior: PriorKnowledge) -> np.ndarray:
    """Return the expected log hazard of every feature per standard deviation, all others held constant.

    Figures that are adjusted already are taken as they are. Those of features on their own count what correlated
    features share once for each of them; and features with a direction only count together, as one index of equal
    weights: equal between blocks, and within a block between its features. Marginal effects m and joint effects b of
    standardised features obey m = R b, to the first order, with R the correlations of the features (as for summary
    statistics in genetics, 10.1038/ng.2213). b is the solution of least squares that turns no effect against its
    expected direction. R is that of the training patients; no outcome is read.

    Parameters
    ----------
    Z : ndarray of shape (n_samples, n_features)
        Standardised features of the training patients; 0 where missing.
    scale : ndarray of shape (n_features,)
        Standard deviations of the features as given.
    names : sequence of str
        The features.
    prior : PriorKnowledge

    Returns
    -------
    ndarray of shape (n_features,)
        0 where nothing is known.

    Examples
    --------
    Two copies of one feature share the effect that each has on its own.

    >>> Z = np.array([[1.0, 1.0], [-1.0, -1.0]])
    >>> effects = _prior_effects(Z, np.ones(2), ["a", "b"], PriorKnowledge({"a": 0.8, "b": 0.8}))
    >>> float(effects.sum().round(3))
    0.8
    """
    effects = np.array([prior.log_hazards.get(name, 0.0) for name in names]) * scale
    adjusted = np.array([name in prior.adjusted for name in names], dtype=bool)
    alone = np.flatnonzero((effects != 0) & ~adjusted)
    weights = _equal_weights(names, prior)
    spread = float(np.std(Z @ weights))
    loadings = np.zeros((len(names), len(alone)))
    loadings[alone, np.arange(len(alone))] = 1.0
    marginal = effects[alone]
    if spread > 0 and prior.log_hazard_per_sd:
        loadings = np.column_stack([loadings, weights / spread])
        marginal = np.append(marginal, prior.log_hazard_per_sd)
    if not len(marginal):
        return effects
    sign = np.sign(marginal)
    players = (Z @ loadings) * sign
    products = players.T @ players
    size = np.sqrt(np.diag(products))
    joint = nnls(products / np.outer(size, size), np.abs(marginal))[0] * sign
    effects[alone] = 0.0
    return np.asarray(effects + loadings @ joint)


def _equal_weights(names: Sequence[str], prior: PriorKnowledge) -> np.ndarray:
    """Signed weights of the features with a direction only; the blocks' absolute weights are equal."""
    blocks = [prior.blocks.get(name, name) if name in prior.directions else None for name in names]
    members = {block: blocks.count(block) for block in set(blocks) if block is not None}
    return np.array(
        [
            0.0 if block is None else prior.directions[name] / members[block]
            for name, block in zip(names, blocks, strict=True)
        ]
    )


def prior_of_model(model: RiskModel) -> PriorKnowledge:
    """Return a model's coefficients as expected effects, to update it on a new cohort with ``cox_prior``.

    Parameters
    ----------
    model : RiskModel
        Fitted on other patients, as a saved model of a larger cohort.

    Returns
    -------
    PriorKnowledge
        Of the model's features, each adjusted for the others; all of them are one block.

    Raises
    ------
    InputError
        The model is not linear in its features.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from nbrelapse.models.prior import CoxPrior
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"alk__gain": rng.integers(0, 2, 200).astype(float)})
    >>> y = np.zeros(200, dtype=[("event", np.int8), ("time", float)])
    >>> y["event"], y["time"] = 1, rng.exponential(1000 / np.exp(X["alk__gain"].to_numpy()))
    >>> large = CoxPrior(penalty=1.0).fit(X, y)
    >>> small = CoxPrior(prior=prior_of_model(large)).fit(X[:10], y[:10])
    >>> bool(abs(small.coefficients_[0] - large.coefficients_[0]) < 0.5)
    True
    """
    model = model.plain
    if not isinstance(model, _LinearModel):
        raise InputError(
            f"a model of the family {model.family!r} cannot be the prior of another",
            column="prior_model",
            expected="a model that is linear in its features, such as cox or cox_prior",
        )
    names = [str(name) for name in model.feature_names_in_]
    effects = dict(zip(names, model.coefficients_.tolist(), strict=True))
    return PriorKnowledge(effects, frozenset(names), blocks=dict.fromkeys(names, "saved model"))
