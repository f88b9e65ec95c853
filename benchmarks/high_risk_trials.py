"""High-risk patients, copy number: all that was tried to predict one cooperative group from the others.

The list is docs/decisions/059, committed before the first of these models was fitted; the numbers here are those of its
table. Each trial is judged on every group that has the endpoint, by models of the other groups, and held against the
clinical Cox in the same resamples. The goals are held against trial 12 alone, which was named beforehand. Nothing here
is chosen by its result.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from _document import ROOT, data_folder, experiment_config, main
from nbrelapse.cohort import write_cohort
from nbrelapse.experiment.config import ExperimentConfig
from nbrelapse.experiment.prepare import _experiment_models, _prepare_data, _PreparedData
from nbrelapse.mechanisms import load_catalogue
from nbrelapse.metrics import MEAN, Evaluation, Predictions, evaluate_groups, prediction_times
from nbrelapse.models import Ensemble
from nbrelapse.models.base import RiskModel
from nbrelapse.models.ensemble import CLINICAL_BLOCK, ensemble_blocks
from nbrelapse.models.hazards import partial_log_likelihood
from nbrelapse.outcome import Outcome, make_outcome
from nbrelapse.readers import import_tables
from nbrelapse.validation.nested import leave_one_group_out
from nbrelapse.validation.tuning import tune

CATALOGUE = ROOT / "experiments" / "catalogues" / "copy_number_burden.toml"
REFERENCE = "1 clinical Cox"
NAMED = "12 ensemble on B"
GOALS = {"efs": 0.57, "os": 0.60}
COMPARED = ((NAMED, "11 ensemble on D"), ("6 cox on B", "2 cox on D"), ("8 boosted on B", "4 boosted on D"))
FAMILIES = ("cox", "cox_prior", "boosted", "blend")
OTHER = {"efs": "os", "os": "efs"}
FACTORS = tuple(2.0**power for power in range(8))
BLOCKS = ("calls", "burden", "arms", "chromosomes")


@dataclass(frozen=True)
class _Trial:
    """A model that is fitted to the outcomes ``endpoint``, of which it may know more patients than are judged.

    Parameters
    ----------
    model : RiskModel
    endpoint : str
    tuned : bool
        Whether it has something to tune.
    strata : bool
        Whether each group trained on has a baseline hazard of its own.
    factors : sequence of float
        Of both precisions of an ensemble: the one of the largest likelihood of the training patients is taken.
    """

    model: RiskModel
    endpoint: str
    tuned: bool = False
    strata: bool = False
    factors: Sequence[float] = ()


@dataclass(frozen=True)
class _Study:
    """The cohort for one endpoint: the features D and B, outcomes of both endpoints, and the group of each patient."""

    endpoint: str
    config: ExperimentConfig
    data: _PreparedData
    outcomes: Mapping[str, Outcome]
    packaged: Sequence[str]
    groups: pd.Series
    blocks: Mapping[str, str]

    @property
    def everything(self) -> list[str]:
        """B: all features."""
        return self.data.columns


def high_risk_trials(scratch: Path) -> list[dict[str, object]]:
    mapping = ROOT / "experiments" / "mappings" / "high_risk_copy_number.toml"
    write_cohort(import_tables(mapping, data_folder("high_risk_copy_number")), scratch / "cohort")
    results: list[dict[str, object]] = []
    for endpoint in ("efs", "os"):
        results += _rows(endpoint, _evaluation(_study(endpoint, scratch / "cohort")))
    return results


def _study(endpoint: str, cohort: Path) -> _Study:
    update = {"endpoint": endpoint, "split": None, "catalogue": CATALOGUE, "models": FAMILIES}
    config = experiment_config("high_risk_copy_number", cohort).model_copy(update=update)
    data = _prepare_data(config)
    packaged = load_catalogue().features
    groups = data.cohort.patients.set_index("patient_id")["study"]
    outcomes = {name: make_outcome(data.cohort, name) for name in OTHER}
    on_d = [name for name in data.columns if name in packaged]
    return _Study(endpoint, config, data, outcomes, on_d, groups, _blocks(data))


def _blocks(data: _PreparedData) -> dict[str, str]:
    """Block of each feature: those of the catalogue, the packaged copy-number features under `calls`."""
    known = ensemble_blocks(data.table.catalogue, data.columns)
    return {name: "calls" if block == "copy_number" else block for name, block in known.items()}


def _evaluation(study: _Study) -> Evaluation:
    y, X = study.data.training.y, study.data.features(study.data.training)
    groups = study.groups.reindex(study.data.training.patient_ids).to_numpy(dtype=str)
    predictions: dict[str, Predictions] = {}
    for models, names in _families(study):
        found = leave_one_group_out(
            models,
            X,
            y,
            groups,
            references=list(models),
            n_inner_folds=study.config.validation.inner_folds,
            n_trials=study.config.validation.trials,
            seed=study.config.seed,
            n_jobs=os.cpu_count() or 1,
        )
        predictions |= {names[model]: prediction for model, prediction in found.predictions.items()}
    for name, trial in _trials(study).items():
        predictions[name] = _left_out(name, trial, study, X, groups, prediction_times(y))
    references = [REFERENCE, *(reference for _, reference in COMPARED)]
    return evaluate_groups(predictions, y, groups, references=references, seed=study.config.seed)


def _families(study: _Study) -> list[tuple[dict[str, RiskModel], dict[str, str]]]:
    """Return the clinical Cox and the tuned families, trials 1 to 10, and what they are called here.

    Tuning derives its seed from the name of a model, so they go by the names that ``high_risk_transfer`` knows.
    """
    on_d = _experiment_models(study.config, replace(study.data, columns=list(study.packaged)))[0]
    on_b = _experiment_models(study.config, study.data)[0]
    everything = on_b["cox"].for_trial().set_params(columns=study.everything)
    names = {name: f"{2 + place} {name} on D" for place, name in enumerate(FAMILIES)} | {"clinical_cox": REFERENCE}
    return [
        ({name: on_d[name] for name in names}, names),
        (
            {name: on_b[name] for name in FAMILIES},
            {name: f"{6 + place} {name} on B" for place, name in enumerate(FAMILIES)},
        ),
        ({"cox": everything}, {"cox": "10 cox on all of B"}),
    ]


def _trials(study: _Study) -> dict[str, _Trial]:
    """Trials 11 to 29."""
    blocks, columns, own = study.blocks, study.everything, study.endpoint
    molecular = [name for name in columns if blocks[name] != CLINICAL_BLOCK]
    one = {name: "copy_number" if blocks[name] in BLOCKS else blocks[name] for name in columns}
    trials = {
        "11 ensemble on D": _ensemble(study, columns=study.packaged),
        NAMED: _ensemble(study),
        "14 own endpoint only": _Trial(_model(study), own),
        "15 other endpoint only": _Trial(_model(study), OTHER[own]),
        "16 without clinical terms": _ensemble(study, columns=molecular),
        "17 one block": _ensemble(study, blocks=one),
        "22 stratified by group": replace(_ensemble(study), strata=True),
        "23 precisions of 0.25 and 2.5": _ensemble(study, block_precision=0.25, clinical_precision=2.5),
        "24 precisions of 1 and 10": _ensemble(study, block_precision=1.0, clinical_precision=10.0),
    }
    trials["28 12, learned precision"] = replace(trials[NAMED], factors=FACTORS)
    trials["29 11, learned precision"] = replace(trials["11 ensemble on D"], factors=FACTORS)
    if own == "efs":  # for OS it is trial 12
        trials["13 without JAP"] = _Trial(_model(study, companions={"os": study.outcomes["os"]}), own)
    for place, block in enumerate(BLOCKS):
        chosen = [name for name in columns if blocks[name] in (block, CLINICAL_BLOCK)]
        trials[f"{18 + place} {block} only"] = _ensemble(study, columns=chosen)
    trials |= _priors(study)
    # Only families that know of strata can be stratified.
    return {name: trial for name, trial in trials.items() if not trial.strata or hasattr(trial.model, "strata")}


def _model(study: _Study, **parameters: Any) -> Ensemble:
    return Ensemble(**{"columns": study.everything, "blocks": study.blocks} | parameters)


def _ensemble(study: _Study, **parameters: Any) -> _Trial:
    """Members of both endpoints; fitted to OS, which more patients have, and among its companions EFS.

    An ensemble ranks patients alike whichever of its endpoints it is of: only its slope and hazards differ.
    """
    return _Trial(_model(study, companions={"efs": study.outcomes["efs"]}, **parameters), "os")


def _priors(study: _Study) -> dict[str, _Trial]:
    """Trials 25 to 27: the literature's effects on OS, with a trust learned of all who have it."""
    config = study.config.model_copy(update={"endpoint": "os"})
    on_d = _experiment_models(config, replace(study.data, columns=list(study.packaged)))[0]["cox_prior"]
    on_b = _experiment_models(config, study.data)[0]["cox_prior"]
    return {
        "25 cox_prior on D, of OS": _Trial(on_d, "os", tuned=True),
        "26 cox_prior on B, of OS": _Trial(on_b, "os", tuned=True),
        "27 as 25, stratified by group": _Trial(on_d, "os", tuned=True, strata=True),
    }


def _left_out(
    name: str, trial: _Trial, study: _Study, X: pd.DataFrame, groups: np.ndarray, times: np.ndarray
) -> Predictions:
    """Predict each group by the model of the others, whatever outcomes of theirs the trial reads."""
    outcome = study.outcomes[trial.endpoint]
    known = study.groups.reindex(outcome.patient_ids).to_numpy(dtype=str)
    log_risk, incidence = np.zeros(len(X)), np.zeros((len(X), len(times)))
    for group in np.unique(groups):
        others = outcome.take(outcome.patient_ids[known != group])
        log_risk[groups == group], incidence[groups == group] = _fitted(trial, study, others).predict_risk(
            X[groups == group], times
        )
    fold = np.unique(groups, return_inverse=True)[1]
    return Predictions(name, log_risk[None], fold[None], incidence[None], times)


def _fitted(trial: _Trial, study: _Study, outcome: Outcome) -> RiskModel:
    X, y, model = study.data.table.values.loc[outcome.patient_ids], outcome.y, trial.model
    if trial.strata:
        model = model.for_trial().set_params(strata=study.groups)
    if trial.factors:
        model = max(
            (_with_precision(model, factor) for factor in trial.factors), key=lambda one: _left_out_fit(one, X, y)
        )
    if trial.tuned:
        validation = study.config.validation
        model = tune(model, X, y, n_trials=validation.trials, n_folds=validation.inner_folds, seed=study.config.seed)
    return model.fit(X, y)


def _with_precision(model: RiskModel, factor: float) -> RiskModel:
    given = model.get_params(deep=False)
    names = ("block_precision", "clinical_precision")
    return model.for_trial().set_params(**{name: factor * given[name] for name in names})


def _left_out_fit(model: Any, X: pd.DataFrame, y: np.ndarray) -> float:
    """Log partial likelihood of the training patients, each by the ensemble without them, to the first order."""
    scored = model.for_trial()._fit_members(X, y)
    return partial_log_likelihood(scored.y, scored.log_risk)


def _rows(endpoint: str, evaluation: Evaluation) -> list[dict[str, object]]:
    metrics = evaluation.metrics[evaluation.metrics["metric"] == "harrell_c"]
    differences = evaluation.differences[evaluation.differences["metric"] == "harrell_c"]
    rows: list[dict[str, object]] = []
    for row in metrics.sort_values("model", key=lambda names: names.str.split().str[0].astype(int)).to_dict("records"):
        where = f"{endpoint}, {row['population']}: C of {row['model']}"
        named = row["model"] == NAMED and row["population"] == MEAN
        goal = {"goal": GOALS[endpoint], "met": bool(row["value"] >= GOALS[endpoint])} if named else {}
        counted = f", {row['n']} patients, {row['events']} events" if row["model"] == REFERENCE else ""
        rows.append({"name": where + counted, **{key: row[key] for key in ("value", "low", "high")}} | goal)
    wanted = [(name, REFERENCE) for name in metrics["model"].unique() if name != REFERENCE] + list(COMPARED)
    for model, reference in wanted:
        chosen = (differences["model"] == model) & (differences["reference"] == reference)
        for row in differences[chosen & (differences["population"] == MEAN)].to_dict("records"):
            name = f"{endpoint}, {MEAN}: C of {model} minus {reference}"
            rows.append({"name": name, "value": row["difference"], "low": row["low"], "high": row["high"]})
    return rows


if __name__ == "__main__":
    main("high_risk_trials", high_risk_trials)
