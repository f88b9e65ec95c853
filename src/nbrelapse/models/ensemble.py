"""The ensemble: ridge regressions on one block of features each, averaged; fixed in advance, nothing is chosen."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np
import pandas as pd

from nbrelapse.errors import InputError
from nbrelapse.mechanisms.feature_table import FeatureTable
from nbrelapse.models.base import Attribution, Features, ModelState, RiskModel, _AsGiven
from nbrelapse.models.binary import BinaryModel, _platt_scaling
from nbrelapse.models.clinical import CLINICAL_COLUMNS
from nbrelapse.models.design import (
    LEAST_OBSERVED,
    _background_rows,
    _Standardised,
    _training_order,
    read_columns,
    standardise,
)
from nbrelapse.models.hazards import _ridge_cox, _spanned
from nbrelapse.models.ridge import _Ridge
from nbrelapse.models.survival import SurvivalModel
from nbrelapse.outcome import Outcome, event_of

if TYPE_CHECKING:
    from nbrelapse.mechanisms.catalogue import Catalogue, PriorKnowledge

CLINICAL_BLOCK = "clinical"
"""Name of the block of clinical terms, which stand beside every other block."""

_OTHER_BLOCK = "features"
_ASSAY_BLOCKS = {"expression": "scores", "fish": CLINICAL_BLOCK}

_TRUST_PRECISION = 4.0
"""Of the trust in what an earlier model found, normal around 1, as in ``cox_prior``."""

_SLOPE_PRECISION = 0.25
"""Of the slope of the mean score, normal around 0: no fit of few patients is infinitely sure. A choice."""

_LEAST_SLOPE = 0.01
"""Risks that point the wrong way say nothing, and are not turned round: patients keep their order and hardly differ."""

_DIGITS = 7
"""Significant digits that coefficients are kept with: half the bytes of a saved model."""


def ensemble_blocks(catalogue: Catalogue, columns: Iterable[str]) -> dict[str, str]:
    """Return the block of each feature: what was measured together, in the same way.

    Parameters
    ----------
    catalogue : Catalogue
        It defines the columns.
    columns : iterable of str

    Returns
    -------
    dict of str to str
        ``clinical`` for what is known without a molecular profile (clinical features, FISH, and the age, stage and MYCN
        that the clinical Cox model reads), ``layer NAME`` for a layer's rows, ``genes`` for single genes, ``scores``
        for expression scores, and the assay for the others; where a catalogue entry names its ``block``, that.

    Examples
    --------
    >>> from nbrelapse.mechanisms import load_catalogue
    >>> ensemble_blocks(load_catalogue(), ["mycn__amplified", "mycn__expression", "instability__loss_1p"])
    {'mycn__amplified': 'clinical', 'mycn__expression': 'scores', 'instability__loss_1p': 'copy_number'}
    """
    found = {}
    for name in columns:
        feature = catalogue.features[name]
        if "block" in feature.parameters:
            found[name] = str(feature.parameters["block"])
        elif feature.role == "gene":
            layer = feature.parameters.get("layer")
            found[name] = "genes" if layer is None else f"layer {layer}"
        elif name in CLINICAL_COLUMNS["clinical_cox"]:
            found[name] = CLINICAL_BLOCK
        else:
            found[name] = _ASSAY_BLOCKS.get(feature.assay, feature.assay)
    return found


@dataclass(frozen=True, eq=False)
class _Unit:
    """The members of one block: the sum of their standardised log risks, linear in the features.

    Parameters
    ----------
    own : ndarray of int, shape (n_own,)
        Positions of the block's features.
    coefficients : ndarray of shape (n_own,)
        Change of the sum per unit of each feature.
    clinical : ndarray of shape (n_clinical,)
        The same of the clinical terms.
    members : int
    """

    own: np.ndarray
    coefficients: np.ndarray
    clinical: np.ndarray
    members: int


class _Scored(NamedTuple):
    """Training patients in their order, and what the members say of each without himself.

    Parameters
    ----------
    values : ndarray of shape (n, n_features)
    y, log_risk : ndarray of shape (n,)
    strata : ndarray of shape (n,) or None
    """

    values: np.ndarray
    y: np.ndarray
    log_risk: np.ndarray
    strata: np.ndarray | None


class _Ensemble(RiskModel):
    r"""The mean of ridge regressions on one block of features each, scaled so that none drowns another.

    The features form blocks: what was measured together. For each block there is a ridge regression with the clinical
    terms beside it and one without them, of the endpoint itself and of each of its ``companions``, endpoints of the
    same patients: death and event-free survival tell of the same tumours. Features are standardised on the training
    patients, and a block of p of them is divided by :math:`\sqrt p`, so that each block has the same variance in all.
    The penalties are fixed: coefficients have normal priors around 0, of precision ``block_precision`` for a block as
    a whole and ``clinical_precision`` for a clinical term per standard deviation. Nothing is tuned or selected. A
    member's log risks are divided by their standard deviation in the training patients; the mean :math:`s` of all
    members ranks the patients, and the log risk is :math:`\hat\beta s`. The slope is learned of log risks of patients
    who were left out, by the approximate leave-one-out of ridge regressions (10.1002/bimj.201200088), and so is the
    baseline hazard.

    A missing value stands at the mean. Of a patient of whom a block is not known (fewer than a fifth of its features),
    the members of that block are left out: the others' mean :math:`s_A` stands for :math:`s` by its regression on
    it, learned with the slope, so that who is known by less is told less apart. Where no block is known, clinical
    members alone predict.

    The log risk is linear given the blocks known: attributions are exact and additive.

    Parameters
    ----------
    columns : sequence of str, optional
        Columns of X that the model reads; all of them by default.
    blocks : mapping of str to str, optional
        The block of each column, see :func:`ensemble_blocks`, whose answer is the default for a feature table; of
        other tables, columns named ``clinical__*`` and ``mycn__amplified`` are clinical and the others one block.
    companions : mapping of str to Outcome, optional
        Further endpoints by name; patients are found by their ids, and may be missing. Only the outcomes of patients
        in X are read.
    start : PriorKnowledge, optional
        What an earlier model found, see :func:`nbrelapse.models.prior_of_model`: every member starts from it, with a
        trust that it learns.
    strata : mapping of str to str, optional
        The study of each training patient, see :class:`nbrelapse.models.base.RiskModel`.
    block_precision, clinical_precision : float, default 2 and 10
        Of the priors above: hazard ratios of 2 and 1.4 a standard deviation are usual. Choices, on a plateau: half or
        double them and the ranking stays (docs/decisions/056).

    Attributes
    ----------
    blocks_ : dict of str to list of str
        The features used of each block, the clinical terms under ``clinical``.
    members_ : dict of str to int
        The regressions of each block; those of the clinical terms alone count only where nothing else is known.
    companions_ : tuple of str
        The companions that were learned from: those with two events that are not another endpoint again. Not saved.
    slope_ : float
        Of the mean standardised log risk. At least 0.01: where it tells nothing of patients left out, they keep their
        order and hardly differ.
    coefficients_ : ndarray of shape (n_features,)
        Change of the log risk per unit of the feature in patients of whom every block is known.
    means_ : ndarray of shape (n_features,)
    unused_ : list of str
        Features in which fewer than three training patients differ from the most frequent value.
    """

    coefficients_ = _AsGiven("_coefficients")
    means_ = _AsGiven("_means")
    reads_genes: ClassVar[bool] = True
    companions_: tuple[str, ...] = ()
    intercept_: float
    slope_: float
    _means: np.ndarray
    _units: dict[str, _Unit]
    _clinical: np.ndarray
    _covariance: np.ndarray

    def __init__(
        self,
        columns: Sequence[str] | None = None,
        blocks: Mapping[str, str] | None = None,
        companions: Mapping[str, Outcome] | None = None,
        start: PriorKnowledge | None = None,
        *,
        strata: Mapping[str, str] | pd.Series | None = None,
        block_precision: float = 2.0,
        clinical_precision: float = 10.0,
    ) -> None:
        self.columns = columns
        self.blocks = blocks
        self.companions = companions
        self.start = start
        self.strata = strata
        self.block_precision = block_precision
        self.clinical_precision = clinical_precision

    @property
    def blocks_(self) -> dict[str, list[str]]:
        """The features used of each block."""
        found = {name: self._units[name].own for name in self._molecular}
        found |= {CLINICAL_BLOCK: self._clinical} if len(self._clinical) else {}
        return {name: [str(feature) for feature in self._features[own]] for name, own in found.items()}

    @property
    def members_(self) -> dict[str, int]:
        """The regressions of each block."""
        return {name: unit.members for name, unit in self._units.items()}

    @property
    def _coefficients(self) -> np.ndarray:
        known = np.ones((1, len(self._molecular)), dtype=bool)
        return self._weights(known)[0]

    @property
    def _molecular(self) -> list[str]:
        return [name for name in self._units if name != CLINICAL_BLOCK]

    def _training(self, X: Features, y: Outcome | pd.Series | np.ndarray) -> tuple[pd.DataFrame, np.ndarray]:
        self._catalogue = X.catalogue if isinstance(X, FeatureTable) else None
        return super()._training(X, y)

    def _fit_members(self, X: pd.DataFrame, y: np.ndarray) -> _Scored:
        """Fit everything but the baseline."""
        self._check_parameters()
        order = _training_order(X, y, self.columns)
        ids = X.index[order]
        values, y = self._read_training(X.iloc[order], y[order])
        found = standardise(values)
        self._means = found.means
        unused = np.ones(len(self._features), dtype=bool)
        unused[found.used] = False
        self.unused_ = [str(name) for name in self.feature_names_in_[unused[self._given]]]
        label = self._labels()
        self._clinical = found.used[label[found.used] == CLINICAL_BLOCK]
        further = self._further(ids, y)
        self.companions_ = tuple(further)
        targets = [(y, np.arange(len(y))), *further.values()]
        molecular = sorted(set(label[found.used]) - {CLINICAL_BLOCK})
        blocks = {name: found.used[label[found.used] == name] for name in molecular}
        if len(self._clinical) or not blocks:
            blocks[CLINICAL_BLOCK] = np.empty(0, dtype=int)
        strata = self._strata(ids)
        fit = _Fit(self, found, blocks, targets, pd.factorize(ids)[0], strata)
        fitted = {name: fit.unit(name) for name in blocks}
        self._units = {name: unit for name, (unit, _) in fitted.items()}
        left_out = np.column_stack([score for _, score in fitted.values()])
        self._covariance = np.atleast_2d(np.cov(left_out, rowvar=False))
        self.slope_, self.intercept_ = 1.0, 0.0
        score = (left_out * self._unit_weights(self._known(values))).sum(axis=1)
        self.intercept_, self.slope_ = self._line(score, y, strata)
        return _Scored(values, y, self.intercept_ + self.slope_ * score, strata)

    @abstractmethod
    def _line(self, score: np.ndarray, y: np.ndarray, strata: np.ndarray | None) -> tuple[float, float]:
        """Return intercept and slope of the log risk on the mean score."""

    def _labels(self) -> np.ndarray:
        """Return the block of each feature."""
        blocks = self.blocks
        if blocks is None and self._catalogue is not None:
            blocks = ensemble_blocks(self._catalogue, map(str, self._features))
        if blocks is None:
            clinical = {*CLINICAL_COLUMNS["clinical_cox"]}
            blocks = {
                name: CLINICAL_BLOCK if name in clinical or str(name).startswith("clinical__") else _OTHER_BLOCK
                for name in self._features
            }
        without = [str(name) for name in self._features if name not in blocks]
        if without:
            raise InputError(
                f"{len(without)} columns have no block, {without[0]!r} among them",
                column="blocks",
                expected="the name of a block for every column that the model reads",
            )
        return np.array([blocks[name] for name in self._features], dtype=object)

    def _further(self, ids: pd.Index, y: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Return outcomes of each companion endpoint that says something new, and whose they are, by position."""
        seen, found = [y], {}
        for name, outcome in (self.companions or {}).items():
            place = outcome.patient_ids.get_indexer(ids)
            rows = np.flatnonzero(place >= 0)
            target = outcome.y[place[rows]]
            if len(rows) == len(ids) and any(np.array_equal(target, other) for other in seen if len(other) == len(ids)):
                continue
            if np.count_nonzero(event_of(target) == 1) >= 2:
                found[name] = (target, rows)
                seen.append(target)
        return found

    def _check_parameters(self) -> None:
        for name in ("block_precision", "clinical_precision"):
            if not 0 < getattr(self, name) < np.inf:
                raise InputError(f"illegal {name} {getattr(self, name)!r}", column=name, expected="a number above 0")

    def _known(self, values: np.ndarray) -> np.ndarray:
        """Whether each molecular block is known of each patient, shape (n, n_blocks)."""
        seen = ~np.isnan(values)
        shares = [seen[:, self._units[name].own].mean(axis=1) for name in self._molecular]
        return np.array(shares).reshape(len(shares), len(values)).T >= LEAST_OBSERVED

    def _unit_weights(self, known: np.ndarray) -> np.ndarray:
        """Return what each block's sum of scores counts, shape (n, n_units): by the patients' known blocks."""
        members = np.array([unit.members for unit in self._units.values()], dtype=float)
        n_molecular = known.shape[1]
        counted = np.arange(len(members)) < (n_molecular or len(members))
        everything = counted / max(float(members @ counted), 1.0)
        patterns, of_patient = _patterns(known)
        weights = np.zeros((len(patterns), len(members)))
        for row, pattern in zip(weights, patterns, strict=True):
            if pattern.all():
                row[:] = everything
                continue
            chosen = np.append(pattern, not pattern.any())[: len(members)]
            part = chosen / max(float(members @ chosen), 1.0)
            variance = float(part @ self._covariance @ part)
            share = float(everything @ self._covariance @ part) / variance if variance > 0 else 0.0
            row[:] = part * max(share, 0.0)
        return self.slope_ * weights[of_patient]

    def _weights(self, known: np.ndarray) -> np.ndarray:
        """Change of the log risk per unit of each feature, shape (n, n_features), by the patients' known blocks."""
        of_unit = self._unit_weights(known)
        weights = np.zeros((len(known), len(self._features)))
        for column, unit in enumerate(self._units.values()):
            weights[:, unit.own] += of_unit[:, [column]] * unit.coefficients
            weights[:, self._clinical] += of_unit[:, [column]] * unit.clinical
        return weights

    def _terms(self, values: np.ndarray) -> np.ndarray:
        centred = np.where(np.isnan(values), 0.0, values - self._means)
        patterns, of_patient = _patterns(self._known(values))
        for pattern, weights in enumerate(self._weights(patterns)):
            rows = of_patient == pattern
            centred[rows] *= weights
        return centred

    def predict_log_risk(self, X: Features) -> np.ndarray:
        """Log risk, shape (n_samples,)."""
        values = read_columns(self._patients(X), self._features)
        return np.asarray(self.intercept_ + self._terms(values).sum(axis=1))

    def attribute(self, X: Features, background: Features | None = None) -> Attribution:
        """Exact SHAP values given the blocks known: weight × (value − training mean), and 0 for a missing value.

        With a background all is relative to the mean contribution of its patients; see :meth:`RiskModel.attribute`.
        """
        X = self._patients(X)
        terms, baseline = self._terms(read_columns(X, self._features)), self.intercept_
        if background is not None:
            others = read_columns(_background_rows(self._patients(background)), self._features)
            usual = self._terms(others).mean(axis=0)
            terms, baseline = terms - usual, baseline + float(usual.sum())
        return Attribution(baseline, self._as_given(terms, X.index))

    def _document(self) -> dict[str, Any]:
        return {
            "family": self.family,
            "parameters": {
                "block_precision": self.block_precision,
                "clinical_precision": self.clinical_precision,
            },
            "features": [str(name) for name in self._features],
            "means": self._means.tolist(),
            "unused": self.unused_,
            "clinical": self._clinical.tolist(),
            "blocks": {
                name: {
                    "features": unit.own.tolist(),
                    "coefficients": unit.coefficients.tolist(),
                    "clinical": unit.clinical.tolist(),
                    "members": unit.members,
                }
                for name, unit in self._units.items()
            },
            "covariance": self._covariance.tolist(),
            "slope": self.slope_,
            "intercept": self.intercept_,
        }

    @classmethod
    def from_state(cls, state: ModelState) -> Self:
        """Return the fitted model again."""
        document = state.document
        model = cls(document["features"], **document["parameters"])
        model.feature_names_in_ = np.asarray(document["features"], dtype=object)
        model._means = np.asarray(document["means"], dtype=float)
        model.unused_ = list(document["unused"])
        model._clinical = np.asarray(document["clinical"], dtype=int)
        model._units = {
            name: _Unit(
                np.asarray(unit["features"], dtype=int),
                np.asarray(unit["coefficients"], dtype=float),
                np.asarray(unit["clinical"], dtype=float),
                int(unit["members"]),
            )
            for name, unit in document["blocks"].items()
        }
        model._covariance = np.asarray(document["covariance"], dtype=float)
        model.slope_, model.intercept_ = float(document["slope"]), float(document["intercept"])
        return model


class _Fit:
    """What the members of one ensemble share while they are fitted."""

    def __init__(
        self,
        model: _Ensemble,
        found: _Standardised,
        blocks: Mapping[str, np.ndarray],
        targets: Sequence[tuple[np.ndarray, np.ndarray]],
        patients: np.ndarray,
        strata: np.ndarray | None,
    ) -> None:
        self.model, self.blocks, self.targets = model, blocks, targets
        self.patients, self.strata = patients, strata
        self.Z, self.scales = found.Z, found.scales
        self.place = np.full(len(found.means), -1)
        self.place[found.used] = np.arange(len(found.used))
        start = {} if model.start is None else model.start.log_hazards
        self.start = np.array([start.get(str(name), 0.0) for name in model._features]) * found.scales

    def unit(self, name: str) -> tuple[_Unit, np.ndarray]:
        """Fit a block's members; of no features, those of the clinical terms alone.

        Returns
        -------
        _Unit
        ndarray of shape (n_samples,)
            The sum of the members' standardised log risks, each of a patient whom it was fitted without.
        """
        terms, own = self.model._clinical, self.blocks[name]
        kinds = [np.empty(0, dtype=int)] if not len(terms) else [terms, terms[:0]] if len(own) else [terms]
        total, scores, members = np.zeros(len(self.place)), np.zeros(len(self.Z)), 0
        scale = np.sqrt(max(len(own), 1) * self.model.block_precision)
        clinical_scale = np.sqrt(self.model.clinical_precision)
        block, back = self.Z[:, self.place[own]] / scale, np.eye(len(own))
        if len(own) > len(block):
            block, back = _spanned(block)
        for beside in kinds:
            clinical = self.Z[:, self.place[beside]] / clinical_scale
            features = np.concatenate([own, beside])
            for y, rows in self.targets:
                fitted = self._member(np.hstack([block, clinical]), features, y, rows)
                if fitted is None:
                    continue
                beta, trust, left_out, size = fitted
                within, rest = np.split(beta, [block.shape[1]])
                total[own] += back @ within / scale / size
                total[beside] += rest / clinical_scale / size
                total[features] += trust * self.start[features] / size
                scores += left_out / size
                members += 1
        own_terms, clinical_terms = (_rounded(total[part] / self.scales[part]) for part in (own, terms))
        return _Unit(own, own_terms, clinical_terms, members), scores

    def _member(
        self, W: np.ndarray, features: np.ndarray, y: np.ndarray, rows: np.ndarray
    ) -> tuple[np.ndarray, float, np.ndarray, float] | None:
        """Fit one regression; return coefficients, trust, log risks of all without themselves, and their size."""
        expected = self.Z[:, self.place[features]] @ self.start[features]
        starts = bool(expected.any())
        design = np.column_stack([W, expected / np.sqrt(_TRUST_PRECISION)]) if starts else W
        strata = None if self.strata is None else self.strata[rows]
        fit = _Ridge.fit(design[rows], y, expected[rows], strata)
        log_risk = expected + design @ fit.coefficients
        size = float(np.std(log_risk[rows]))
        if size < 1e-9:
            return None
        left_out = log_risk.copy()
        left_out[rows] = fit.left_out(self.patients[rows])
        trust = 1.0 + float(fit.coefficients[-1]) / np.sqrt(_TRUST_PRECISION) if starts else 0.0
        return fit.coefficients[: W.shape[1]], trust, left_out, size


def _patterns(known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct rows, and which of them each row is."""
    codes = np.packbits(known, axis=1) if known.shape[1] else np.zeros((len(known), 1), dtype=np.uint8)
    _, first, of_row = np.unique(codes, axis=0, return_index=True, return_inverse=True)
    return known[first], of_row.ravel()


def _rounded(values: np.ndarray) -> np.ndarray:
    """Round to seven significant digits."""
    return np.array([float(f"{value:.{_DIGITS}g}") for value in values])


class Ensemble(_Ensemble, SurvivalModel):
    """The mean of ridge Cox regressions on one block of features each; nothing is tuned or selected.

    See :class:`_Ensemble` for what it is, the parameters and the attributes.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.normal(size=(80, 3)), columns=["clinical__log2_age", "a", "b"])
    >>> y = np.zeros(80, dtype=[("event", np.int8), ("time", float)])
    >>> y["event"], y["time"] = 1, rng.exponential(1000 / np.exp(X["a"].to_numpy()))
    >>> model = Ensemble().fit(X, y)
    >>> model.members_, bool(model.coefficients_[1] > 0.5)
    ({'features': 2, 'clinical': 1}, True)
    """

    family: ClassVar[str] = "ensemble"

    def fit(self, X: Features, y: Outcome | pd.Series | np.ndarray) -> Self:
        """Fit the members, the slope and the hazards.

        Parameters
        ----------
        X : FeatureTable, DataFrame or ndarray of shape (n_samples, n_features)
        y : Outcome or structured ndarray of shape (n_samples,)

        Raises
        ------
        InputError
            X and y are of other patients, y is no time to an event, a column cannot be read or has no block, fewer
            than two patients had the event, or a parameter is out of its range.
        """
        scored = self._fit_members(*self._training(X, y))
        self.intercept_ = -float(self._terms(scored.values).sum(axis=1).mean())
        clinical = np.isin(np.arange(scored.values.shape[1]), self._clinical)
        values, log_risk = np.where(clinical, scored.values, np.nan), scored.log_risk - scored.log_risk.mean()
        self._fit_hazards(values, scored.y, log_risk, scored.strata)
        return self

    def _line(self, score: np.ndarray, y: np.ndarray, strata: np.ndarray | None) -> tuple[float, float]:
        slope = _ridge_cox(score[:, None], y, np.array([_SLOPE_PRECISION]), np.zeros(1), strata)
        return 0.0, max(float(slope[0]), _LEAST_SLOPE)

    def state(self) -> ModelState:
        """Return the fitted model as JSON data."""
        return ModelState(self._document() | self._hazards())

    @classmethod
    def from_state(cls, state: ModelState) -> Self:
        """Return the fitted model again."""
        model = super().from_state(state)
        model._read_hazards(state.document)
        return model


class EnsembleClassifier(_Ensemble, BinaryModel):
    """The mean of ridge logistic regressions on one block of features each; nothing is tuned or selected.

    See :class:`_Ensemble` for what it is, the parameters and the attributes. The log risk is the log odds: slope and
    intercept are learned by Platt scaling of the mean score.
    """

    family: ClassVar[str] = "ensemble_classifier"

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "slope_")

    def fit(self, X: Features, y: Outcome | pd.Series | np.ndarray) -> Self:
        """Fit the members, the slope and the intercept.

        Parameters
        ----------
        X : FeatureTable, DataFrame or ndarray of shape (n_samples, n_features)
        y : Outcome, Series or ndarray of shape (n_samples,)

        Raises
        ------
        InputError
            X and y are of other patients, y has other than two values, a column cannot be read or has no block, or
            fewer than two patients had the event, or fewer than two were without it.
        """
        self._fit_members(*self._training(X, y))
        return self

    def _line(self, score: np.ndarray, y: np.ndarray, strata: np.ndarray | None) -> tuple[float, float]:
        return _platt_scaling(y, score, strata)

    def state(self) -> ModelState:
        """Return the fitted model as JSON data."""
        return ModelState(self._document() | self._class_document())

    @classmethod
    def from_state(cls, state: ModelState) -> Self:
        """Return the fitted model again."""
        model = super().from_state(state)
        model._read_classes(state.document)
        return model
