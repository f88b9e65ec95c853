"""Score the patients of a cohort with a saved model, and say for whom too little is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path

import numpy as np
import pandas as pd

from nbrelapse.cohort.cohort import Cohort, counted
from nbrelapse.cohort.files import check_writable
from nbrelapse.cohort.rows import encode_rows, rows_file
from nbrelapse.cohort.schema import LAYER
from nbrelapse.errors import InputError
from nbrelapse.explanation.explanation import sums_by_mechanism
from nbrelapse.mechanisms.build import build_features
from nbrelapse.metrics.horizons import YEAR
from nbrelapse.models.design import ReadFeatures, read_columns
from nbrelapse.models.survival import SurvivalModel
from nbrelapse.outcome import BINARY, SURVIVAL
from nbrelapse.scoring._layers import _layer_warnings_of
from nbrelapse.scoring._profile import _percentile
from nbrelapse.scoring._training import _risk_groups, _Unseen, _unseen_groups
from nbrelapse.scoring.bundle import HORIZON_YEARS, Bundle, _evidence_of
from nbrelapse.scoring.reading import load_model

_GENE_RATIO = 1.5
"""Expression features are ranks among the genes measured; beyond this ratio of their number to training's a warning
goes with the score. A choice of caution, not an estimate."""

_OTHER_GENES = "expression was measured on another selection of genes than in training: its ranks are not comparable"
_NOT_TOLD = "the import could not tell how the expression was scaled: scores from it may be wrong"

_NO_BAND = "no bands: it was not learned how far the truth may lie from this model's predictions"
_NO_GROUP = "the risk group is not known: recalibrated by the line of all patients"

_OF_SIMULATED = "the model was trained on simulated patients: its numbers hold for no real patient"


def score(model: Bundle | str | Path, cohort: Cohort, *, allow_missing_assays: bool = False) -> pd.DataFrame:
    """Score the patients of a cohort.

    Parameters
    ----------
    model : Bundle, or folder or MLflow URI of one
    cohort : Cohort
    allow_missing_assays : bool
        Score although nobody in the cohort has an assay that the model reads.

    Returns
    -------
    DataFrame
        A row a patient, ``patient_id`` first, then the columns of
        :func:`nbrelapse.scoring.scores._score_features`. Warnings are added where expression was measured on far
        more or fewer genes than in training or its unit or centring could not be told, where the patient's risk group
        was not among the training patients, and where these were simulated.

    Raises
    ------
    InputError
        Nobody in the cohort has an assay that the model reads, and ``allow_missing_assays`` is False. Layers may be
        missing: that is said, and the evidence falls; one in another unit than in training is refused.
    BundleError
        The model cannot be trusted; see :func:`load_model`.
    """
    bundle = model if isinstance(model, Bundle) else load_model(model)
    scores, summary = score_block(bundle, cohort)
    if not allow_missing_assays:
        require_assays(bundle, [summary])
    return scores


@dataclass(frozen=True)
class ScoredBlock:
    """What the scores of some patients of a cohort add to what is said of all.

    Parameters
    ----------
    patients, unscored, with_warnings : int
    lacking : frozenset of str
        Of the assays that the model relies on, those that nobody here has.
    told : CohortTold
    """

    patients: int
    unscored: int
    with_warnings: int
    lacking: frozenset[str]
    told: CohortTold


def score_block(bundle: Bundle, cohort: Cohort) -> tuple[pd.DataFrame, ScoredBlock]:
    """Score a block of a cohort's patients, or all of them; the scores of a patient are the same either way.

    Parameters
    ----------
    bundle : Bundle
        That :func:`can_score_blocks`, unless these are all patients.
    cohort : Cohort

    Returns
    -------
    DataFrame
        As :func:`score` returns it.
    ScoredBlock
        Whether the assays of all blocks together are enough is for :func:`require_assays` to say, and for
        :func:`told_notes` what speaks against the scores.
    """
    values = build_features(cohort, bundle.catalogue, bundle.gene_sets).values[list(bundle.schema.index)]
    groups = _groups(bundle, cohort)
    scores = _score_features(bundle, values, _cohort_flags(bundle, cohort, groups))
    summary = ScoredBlock(
        len(scores),
        int(scores["log_risk"].isna().sum()),
        int((scores["warnings"] != "").sum()),
        frozenset(_lacking(bundle, values)),
        _told(bundle, cohort, cohort.patient_ids, groups),
    )
    return scores.rename_axis("patient_id").reset_index(), summary


def can_score_blocks(bundle: Bundle) -> bool:
    """Whether a model scores the patients of a block as it does those of the whole cohort.

    Not where it relies on a layer: that its values are on another scale than in training is seen of all samples.
    """
    return not any(assay.startswith(LAYER) for assay in _relied_on(bundle))


@dataclass(frozen=True)
class CohortTold:
    """What speaks against a model's numbers in some patients of a cohort.

    Parameters
    ----------
    warned : dict of str to int
        Of how many patients each warning is.
    groups : Series of str
        By patient, the risk group; missing where it is not known, and where training saw all groups.
    """

    warned: Mapping[str, int]
    groups: pd.Series


def cohort_notes(bundle: Bundle, cohort: Cohort, patient_ids: pd.Index | None = None) -> list[str]:
    """Say what speaks against a model's numbers in a cohort as a whole.

    Parameters
    ----------
    bundle : Bundle
    cohort : Cohort
    patient_ids : Index, optional
        The patients meant; all without it.

    Returns
    -------
    list of str
        Trained on simulated patients; updated since; expression of another selection of genes, or of a unit that could
        not be told; a layer that is missing or unlike training's; a risk group that training did not see.
    """
    ids = cohort.patient_ids if patient_ids is None else patient_ids
    return told_notes(bundle, [_told(bundle, cohort, ids, _groups(bundle, cohort))])


def _told(bundle: Bundle, cohort: Cohort, ids: pd.Index, groups: pd.Series) -> CohortTold:
    ranked = int(ids.isin(cohort.assayed_samples("expression").index).sum())
    warned = dict.fromkeys(_expression_warnings(bundle, cohort), ranked) if ranked else {}
    of_layers = _layer_warnings(bundle, cohort)
    warned |= {warning: int(mask[cohort.patient_ids.isin(ids)].sum()) for warning, mask in of_layers.items()}
    return CohortTold(warned, groups.loc[ids])


def _groups(bundle: Bundle, cohort: Cohort) -> pd.Series:
    """Risk groups by patient, where training did not see all of them."""
    if _unseen(bundle) is None:
        return pd.Series(np.nan, index=cohort.patient_ids, dtype=object)
    return _risk_groups(cohort)


def told_notes(bundle: Bundle, told: Sequence[CohortTold]) -> list[str]:
    """Say what speaks against a model's numbers in a cohort as a whole, of what its blocks tell."""
    warned: Counter[str] = Counter()
    for block in told:
        warned.update(block.warned)
    groups = pd.concat([block.groups for block in told])
    patients = counted(len(groups), "patient")
    notes = [*([_OF_SIMULATED] if bundle.training.of_simulated else []), *_updated_notes(bundle)]
    notes += [f"{warning} ({number} of {patients})" for warning, number in warned.items()]
    unseen = _unseen(bundle)
    strangers = None if unseen is None else unseen.note(groups)
    return notes if strangers is None else [*notes, strangers]


def _caution(bundle: Bundle) -> str:
    """Return what a page must say at its top of a model; empty where there is nothing."""
    return f"{_OF_SIMULATED[0].upper()}{_OF_SIMULATED[1:]}." if bundle.training.of_simulated else ""


def _updated_notes(bundle: Bundle) -> list[str]:
    """Say on whom a model was updated since it was trained."""
    return [
        f"the model was updated on {counted(update['patients'], 'patient')} of {update['cohort']}"
        f"{' (simulated)' if update['simulated'] else ''} with {counted(update['events'], 'event')}: its risks are "
        "those of patients like them"
        for update in bundle.updates
    ]


def _cohort_flags(bundle: Bundle, cohort: Cohort, groups: pd.Series | None = None) -> dict[str, np.ndarray]:
    """Return what the cohort tells about the numbers of its patients: warnings, with a mask of whom each is for."""
    flags = _model_flags(bundle, len(cohort.patients))
    for warning in _expression_warnings(bundle, cohort):
        flags[warning] = cohort.patient_ids.isin(cohort.assayed_samples("expression").index)
    flags |= _layer_warnings(bundle, cohort)
    unseen = _unseen(bundle)
    return flags if unseen is None else flags | unseen.warnings(_risk_groups(cohort) if groups is None else groups)


def _model_flags(bundle: Bundle, n_patients: int) -> dict[str, np.ndarray]:
    return {_OF_SIMULATED: np.ones(n_patients, dtype=bool)} if bundle.training.of_simulated else {}


def _unseen(bundle: Bundle) -> _Unseen | None:
    training = bundle.training
    return _unseen_groups(training.groups, training.patients, training.high_risk)


def _expression_warnings(bundle: Bundle, cohort: Cohort) -> list[str]:
    """Say why ranks within a sample may mean something else than in training.

    Parameters
    ----------
    bundle : Bundle
    cohort : Cohort

    Returns
    -------
    list of str
        None where the model does not rely on expression. One where far more genes were measured than in training, or
        far fewer; one where the import could not tell the unit of the values, or whether genes were centred.
    """
    if cohort.expression is None or "expression" not in _relied_on(bundle):
        return []
    trained_on, warned = bundle.training.expression_genes, []
    if trained_on and not 1 / _GENE_RATIO <= len(cohort.expression) / trained_on <= _GENE_RATIO:
        warned.append(_OTHER_GENES)
    not_told = cohort.metadata.get("expression", {}).get("not_told")
    return [*warned, f"{_NOT_TOLD} ({not_told})"] if not_told else warned


def _layer_warnings(bundle: Bundle, cohort: Cohort) -> dict[str, np.ndarray]:
    relied_on = [assay.removeprefix(LAYER) for assay in _relied_on(bundle) if assay.startswith(LAYER)]
    return _layer_warnings_of(bundle.training.layers or {}, relied_on, cohort)


def _require_assays(bundle: Bundle, values: pd.DataFrame) -> None:
    """Refuse the features of a cohort in which nobody has an assay that the model relies on."""
    _refuse_lacking(bundle, _lacking(bundle, values))


def require_assays(bundle: Bundle, blocks: Sequence[ScoredBlock]) -> None:
    """Refuse a cohort in which nobody has an assay that the model relies on.

    Parameters
    ----------
    bundle : Bundle
    blocks : sequence of ScoredBlock
        All of the cohort.

    Raises
    ------
    InputError
        An assay is missing altogether. A layer may be: what is known without it is told by the evidence.
    """
    _refuse_lacking(bundle, frozenset.intersection(*(block.lacking for block in blocks)))


def _lacking(bundle: Bundle, values: pd.DataFrame) -> list[str]:
    known = values[list(bundle.schema.index)].notna().to_numpy()
    return [assay for assay, features in _relied_on(bundle).items() if not known[:, features].any()]


def _refuse_lacking(bundle: Bundle, lacking: Collection[str]) -> None:
    assays = [assay for assay in _relied_on(bundle) if not assay.startswith(LAYER)]
    if absent := [assay for assay in assays if assay in lacking]:
        raise InputError(
            f"the cohort lacks what the model reads: nobody has {', '.join(absent)}",
            expected=", ".join(assays),
            fix="import these assays, or allow missing assays (--allow-missing-assays) and read the warnings",
        )


_LEAST_EVIDENCE = Bundle.least_evidence

_FULL_EVIDENCE = 0.75
"""Below this share a warning goes with the score. A choice of caution, not an estimate."""

_BLOCK = 1_000
"""Patients worked on at once: the intervals take a number a refit and horizon for each."""


def _score_features(
    bundle: Bundle, values: pd.DataFrame, flags: Mapping[str, np.ndarray] | None = None
) -> pd.DataFrame:
    """Score feature rows.

    Parameters
    ----------
    bundle : Bundle
    values : DataFrame of shape (n_patients, n_features)
        The model's features; NaN = not assayed.
    flags : mapping of str to ndarray of shape (n_patients,), optional
        Warnings that the patients' cohort adds; without it, those that hold where only features are known.

    Returns
    -------
    DataFrame of shape (n_patients, n_columns)
        ``risk_percentile`` (0-100, among the training patients, whose risks are those of the model fitted on them);
        ``log_risk`` with its 95 % band (of the risk given what the model reads, see :meth:`Bundle.band`; NaN in models
        saved before 0.4.0); for 1, 2, 3 and 5 years ``incidence_<years>y`` (probability of the event by then) with its
        band and ``survival_<years>y`` (of neither the event nor a competing one), or for a binary endpoint
        ``probability_<endpoint>`` with its band; ``baseline`` and
        ``mechanism__<name>``, which add up to ``log_risk``; ``evidence``, the share of what the model relies on that
        is known of the patient, 0 to 1; ``unlike_training`` (0-100), the per cent of the training patients whose
        features lie nearer to their mean, see :meth:`Bundle.unlike_training`; ``missing_assays``,
        ``out_of_range_features`` and ``warnings``, lists in text.
        Where ``evidence`` is below ``LEAST_EVIDENCE`` no number is given, and horizons beyond the training
        follow-up have none: NaN. Horizons of a model with a landmark count from that day and hold for patients who
        are event-free then, which ``warnings`` says.

    Raises
    ------
    InputError
        A feature is not there, is not numeric or is infinite.
    """
    index = bundle.schema.index
    X = ReadFeatures(read_columns(values, index.to_numpy()), index=values.index, columns=index)
    return pd.DataFrame(_columns_of_scores(bundle, X, flags), index=X.index)


def _columns_of_scores(
    bundle: Bundle, X: ReadFeatures, flags: Mapping[str, np.ndarray] | None = None
) -> dict[str, np.ndarray | list[str]]:
    """Return the columns of :func:`_score_features` by name; ``X`` has the model's features in its order."""
    index = bundle.schema.index
    seen = X.numbers
    evidence = _evidence_of(bundle, X)
    starts = range(0, max(1, len(X)), _BLOCK)
    blocks = [_numbers(bundle, X.rows(slice(start, start + _BLOCK))) for start in starts]
    numbers = {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
    low, high = (bundle.schema[limit].to_numpy() for limit in ("low", "high"))
    outside = (seen < low) | (seen > high)
    if flags is None:
        unseen, nothing = _unseen(bundle), pd.Series(np.nan, index=X.index, dtype=object)
        flags = _model_flags(bundle, len(X)) | ({} if unseen is None else unseen.warnings(nothing))
    told = _feature_flags(bundle, X, evidence, outside) | dict(flags)
    assays = _relied_on(bundle)
    missing = np.column_stack([np.isnan(seen[:, features]).all(axis=1) for features in assays.values()])
    columns: dict[str, np.ndarray | list[str]] = {
        **{name: np.where(evidence < _LEAST_EVIDENCE, np.nan, column) for name, column in numbers.items()},
        "evidence": evidence,
        "unlike_training": np.where(evidence < _LEAST_EVIDENCE, np.nan, bundle.unlike_training(X)),
        "missing_assays": _join(missing, list(assays), ", "),
        "out_of_range_features": _join(outside, list(index), ", "),
        "warnings": _join(np.column_stack(list(told.values())), list(told), "; "),
    }
    return {name: columns[name] for name in bundle.score_columns}


_Columns = dict[str, np.ndarray]


def _relied_on(bundle: Bundle) -> dict[str, np.ndarray]:
    """Positions of the features that carry weight in the model, by assay."""
    used = bundle.schema["importance"].to_numpy() > 0
    if not used.any():
        used = np.ones(len(used), dtype=bool)
    assays = bundle.schema["assay"].to_numpy()
    return {str(assay): np.flatnonzero(used & (assays == assay)) for assay in dict.fromkeys(assays[used])}


def _numbers(bundle: Bundle, X: pd.DataFrame) -> _Columns:
    attribution = bundle.model.attribute(X)
    # A model that was loaded names its features in another order than the schema.
    mechanisms = np.array([bundle._mechanism_of[name] for name in attribution.values.columns], dtype=object)
    sums = sums_by_mechanism(attribution.values.to_numpy(), mechanisms)
    log_risk, columns = _PREDICTED[bundle.model.kind](bundle, X)
    columns |= {
        "risk_percentile": _percentile(log_risk, bundle.log_risk_quantiles),
        "log_risk": log_risk,
        "baseline": np.full(len(X), attribution.baseline),
        **{f"mechanism__{name}": sums[name] for name in bundle.mechanisms},
    }
    return columns


def _by_years(bundle: Bundle, X: pd.DataFrame) -> tuple[np.ndarray, _Columns]:
    """Log risk, and incidence and survival at the horizons that the training patients carry."""
    assert isinstance(bundle.model, SurvivalModel)
    times = np.array(HORIZON_YEARS) * YEAR
    states = bundle.model.predict_cumulative_incidence(X, times)
    interval = bundle.band(X, times)
    followed = times <= bundle.model.followed_days
    columns = {name: interval[name] for name in ("log_risk_low", "log_risk_high")}
    for column, years in enumerate(HORIZON_YEARS):
        numbers = {
            f"incidence_{years}y": states[:, 1, column],
            f"incidence_{years}y_low": interval["incidence_low"][:, column],
            f"incidence_{years}y_high": interval["incidence_high"][:, column],
            f"survival_{years}y": states[:, 0, column],
        }
        columns |= {name: values if followed[column] else np.full(len(X), np.nan) for name, values in numbers.items()}
    return bundle.model.predict_log_risk(X), columns


def _once(bundle: Bundle, X: pd.DataFrame) -> tuple[np.ndarray, _Columns]:
    """Log odds, and the probability of a binary endpoint."""
    whenever = np.array([np.inf])
    log_risk, probability = bundle.model.predict_risk(X, whenever)
    interval = bundle.band(X, whenever)
    columns = {name: interval[name] for name in ("log_risk_low", "log_risk_high")}
    name = f"probability_{bundle.endpoint}"
    columns |= {name: probability[:, 0]}
    return log_risk, columns | {f"{name}_{side}": interval[f"incidence_{side}"][:, 0] for side in ("low", "high")}


_PREDICTED = {SURVIVAL: _by_years, BINARY: _once}


def _feature_flags(bundle: Bundle, X: pd.DataFrame, evidence: np.ndarray, outside: np.ndarray) -> dict[str, np.ndarray]:
    """Return what a patient's features tell about the numbers: warnings, with a mask of whom each is for."""
    landmark = bundle.landmark_days
    flags = {
        f"for patients event-free on day {landmark:g}: horizons count from then": np.full(len(evidence), landmark > 0),
        f"no score: less than {_LEAST_EVIDENCE:.0%} of what the model relies on is known": evidence < _LEAST_EVIDENCE,
        f"less than {_FULL_EVIDENCE:.0%} of what the model relies on is known": (evidence >= _LEAST_EVIDENCE)
        & (evidence < _FULL_EVIDENCE),
        "values outside the range of the training patients": np.asarray(outside.any(axis=1)),
    }
    if bundle.refits and bundle.bands is None:
        flags[_NO_BAND] = np.ones(len(evidence), dtype=bool)
    group = bundle.model.recalibrated_by
    if group is not None:
        flags[_NO_GROUP] = np.isnan(read_columns(X, np.array([group], dtype=object))[:, 0])
    followed = bundle.followed_days
    if followed is not None and followed < HORIZON_YEARS[-1] * YEAR:
        short = f"few training patients were followed beyond {followed / YEAR:.1f} years: no longer horizon is given"
        flags[short] = np.ones(len(evidence), dtype=bool)
    return flags


def _join(flags: np.ndarray, names: list[str], separator: str) -> list[str]:
    """Names of the flags raised in each row, as text; each distinct row is spelt out once."""
    spelt: dict[bytes, str] = {}
    keys = [row.tobytes() for row in np.packbits(flags, axis=1)]
    for key, row in zip(keys, flags, strict=True):
        if key not in spelt:
            spelt[key] = separator.join(compress(names, row))
    return [spelt[key] for key in keys]


_SUFFIXES = (".parquet", ".csv", ".json")


def check_scores_file(file: str | Path) -> Path:
    """Return the path of a file of scores, before the work of scoring is done.

    Raises
    ------
    InputError
        Its extension is not one of ``SUFFIXES``, it is a folder, or nothing can be written where it is to be.
    """
    target = Path(file)
    if target.suffix not in _SUFFIXES:
        raise InputError("scores cannot be written to such a file", file=target, expected=", ".join(_SUFFIXES))
    if target.is_dir():
        raise InputError("scores cannot be written: this is a folder", file=target)
    check_writable(target, "the scores", "name another folder", replaced=True)
    return target


def write_scores(scores: pd.DataFrame, file: str | Path) -> Path:
    """Write scores as Parquet, CSV or JSON (one object a patient, null where there is no number), by the extension.

    The file appears whole or not at all.

    Parameters
    ----------
    scores : DataFrame
        From :func:`nbrelapse.scoring.scores`.
    file : path

    Returns
    -------
    Path

    Raises
    ------
    InputError
        The extension is another, or the file cannot be written.
    """
    target = check_scores_file(file)
    with rows_file(target, "the scores") as append:
        append(encode_rows(scores, target.suffix, first=True))
    return target
