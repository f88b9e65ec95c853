"""Whether the explanations find the truth: attributed against true contributions to the log hazard, where it is known.

Cox regression and boosted trees are tuned and fitted on 2,000 simulated patients, read from raw files like a real
study. Mechanisms are judged among the patients who had every assay through which the mechanism acts, and among all
patients, where an assay that was not done cannot be known. Contributions and truth are taken less their means.

Beside stand the mean of three cohorts, its range in brackets, and ceilings: the same features and kind of model fitted
to the true log hazards, without noise, and Cox regression fitted on 8,000 patients. How much of the variance of a
mechanism's contributions its own truth explains, and how much all true contributions do, tells noise from credit that
belongs to another mechanism (linear regression, patients with every assay).

Then an interaction and correlated features are planted (``_planted_truth.py``): the truth is the Shapley value of the
true log hazard in the game of mechanisms, and sums of features stand beside that game.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from sklearn.linear_model import LinearRegression

from _document import main
from _noise_free import noise_free_linear, noise_free_trees
from _planted_truth import planted_truth
from nbrelapse.cohort import Cohort, write_cohort
from nbrelapse.experiment.config import ExperimentConfig, parse_config
from nbrelapse.experiment.prepare import _experiment_models, _prepare_data, _PreparedData
from nbrelapse.explanation import Explanation, TruthAgreement, explain, truth_agreement
from nbrelapse.models.base import RiskModel
from nbrelapse.readers.cbioportal import import_cbioportal
from nbrelapse.simulation import read_truth, write_raw_files
from nbrelapse.validation.tuning import tune

PATIENTS = 2000
MORE_PATIENTS = 8000
SEED = 20
MORE_COHORTS = 2
TRIALS = 40
GOALS = {"cox": 0.95, "boosted": 0.9}
ASSAYS = {
    "mycn": ("fish", "expression"),
    "alk": ("mutations", "copy_number", "expression"),
    "telomere": ("mutations", "rearrangements", "expression"),
    "p53": ("mutations", "copy_number", "expression"),
    "instability": ("copy_number",),
    "ras_mapk": ("mutations", "expression"),
    "cell_state": ("expression",),
    "clinical": ("clinical",),
}
"""Assays through which the mechanisms of the simulation act."""


class Study:
    """A simulated study, read from its files, with its truth."""

    def __init__(self, scratch: Path, patients: int, seed: int) -> None:
        raw = write_raw_files(scratch / "raw", patients, seed)
        write_cohort(import_cbioportal(raw), scratch / "cohort")
        cohort = {"path": str(scratch / "cohort")}
        settings = {"name": "truth_recovery", "seed": seed, "cohort": cohort, "models": list(GOALS)}
        self.config: ExperimentConfig = parse_config(settings)
        self.data: _PreparedData = _prepare_data(self.config)
        self.X = self.data.features(self.data.training)
        truth = read_truth(raw).loc[self.X.index]
        self.log_hazard = truth.sum(axis=1)
        self.truth = truth - truth.mean()
        self.acting = list(truth.columns[truth.std() > 0])

    def explained(self, family: str) -> tuple[RiskModel, Explanation]:
        """Tune and fit a model of the family, and explain the patients."""
        model = _experiment_models(self.config, self.data)[0][family]
        y = self.data.training.y
        model = tune(model, self.X, y, n_trials=TRIALS, n_folds=5, seed=SEED).fit(self.X, y)
        return model, explain(model, self.X, self.data.table.catalogue)

    def agreement(self, mechanisms: pd.DataFrame, *, assayed: bool = True) -> TruthAgreement:
        """Judge mechanisms, among the patients with the assays or among all."""
        judged = self.truth.copy()
        if assayed:
            for name in self.acting:
                judged.loc[~judged.index.isin(assayed_patients(self.data.cohort, name)), name] = float("nan")
        return truth_agreement(mechanisms - mechanisms.mean(), judged)


def assayed_patients(cohort: Cohort, mechanism: str) -> pd.Index:
    patients = cohort.patient_ids
    for assay in ASSAYS[mechanism]:
        if assay != "clinical":
            patients = patients.intersection(cohort.assayed_samples(assay).index)
    return patients


def truth_recovery(scratch: Path) -> list[dict[str, object]]:
    study = Study(scratch / "first", PATIENTS, SEED)
    others = [Study(scratch / str(more), PATIENTS, SEED + 1 + more) for more in range(MORE_COHORTS)]
    results: list[dict[str, object]] = []
    for family, goal in GOALS.items():
        model, explanation = study.explained(family)
        results += _against_truth(study, family, goal, explanation.mechanisms)
        every = [explanation.mechanisms, *(other.explained(family)[1].mechanisms for other in others)]
        results += _over_cohorts([study, *others], every, family, goal)
        results += _credit(study, family, explanation.mechanisms)
        if family == "cox":
            ceiling = noise_free_linear(study.X, study.log_hazard, explanation.mechanism_of)
        else:
            parameters = model.get_params(deep=False)
            ceiling = noise_free_trees(study.X, study.log_hazard, explanation.mechanism_of, parameters)
        results += _ceiling(study, f"{family}, without noise", ceiling)
    larger = Study(scratch / "larger", MORE_PATIENTS, SEED + 1)
    results += _ceiling(larger, f"cox, {MORE_PATIENTS:,} patients", larger.explained("cox")[1].mechanisms)
    return results + planted_truth(SEED, TRIALS)


def _against_truth(study: Study, family: str, goal: float, mechanisms: pd.DataFrame) -> list[dict[str, object]]:
    found, everyone = study.agreement(mechanisms), study.agreement(mechanisms, assayed=False)
    results: list[dict[str, object]] = []
    for name in study.acting:
        row, all_patients = found.mechanisms.loc[name], everyone.mechanisms.loc[name]
        label, rho = f"{family}, {name}", float(row["spearman"])
        results += [
            {"name": f"{label} (n={row['n_patients']:.0f})", "value": rho, "goal": goal, "met": rho >= goal},
            {"name": f"{label}, all patients", "value": float(all_patients["spearman"])},
            {"name": f"{label}, sign accuracy", "value": float(row["sign_accuracy"])},
            {"name": f"{label}, mean absolute error", "value": float(row["mean_absolute_error"])},
            {"name": f"{label}, mean absolute truth", "value": float(row["true_size"])},
        ]
    for label, agreement in ((f"{family}, assayed", found), (f"{family}, all patients", everyone)):
        rho = agreement.patients["spearman"].quantile([0.1, 0.5])
        results += [
            {"name": f"{label}, Spearman over mechanisms, median patient", "value": float(rho[0.5])},
            {"name": f"{label}, Spearman over mechanisms, lowest tenth", "value": float(rho[0.1])},
            {"name": f"{label}, right leading mechanism", "value": agreement.leading_share},
        ]
    return results


def _over_cohorts(
    studies: list[Study], mechanisms: list[pd.DataFrame], family: str, goal: float
) -> list[dict[str, object]]:
    found = [study.agreement(own).mechanisms["spearman"] for study, own in zip(studies, mechanisms, strict=True)]
    table = pd.concat(found, axis=1).loc[studies[0].acting]
    return [
        {"name": f"{family}, {name}, {len(studies)} cohorts", "value": mean, "low": low, "high": high, "goal": goal}
        | {"met": mean >= goal}
        for name, mean, low, high in zip(
            table.index, table.mean(axis=1), table.min(axis=1), table.max(axis=1), strict=True
        )
    ]


def _credit(study: Study, family: str, mechanisms: pd.DataFrame) -> list[dict[str, object]]:
    everything = study.X.index
    for name in study.acting:
        everything = everything.intersection(assayed_patients(study.data.cohort, name))
    truth, found = study.truth.loc[everything, study.acting], mechanisms.loc[everything]
    results: list[dict[str, object]] = []
    for name in study.acting:
        own = LinearRegression().fit(truth[[name]], found[name])
        every = LinearRegression().fit(truth, found[name]).score(truth, found[name])
        label = f"{family}, {name}, "
        results += [
            {"name": label + "slope on its own truth", "value": float(own.coef_[0])},
            {"name": label + "explained by its own truth", "value": float(own.score(truth[[name]], found[name]))},
            {"name": label + "explained by all truth", "value": float(every)},
        ]
    return results


def _ceiling(study: Study, label: str, mechanisms: pd.DataFrame) -> list[dict[str, object]]:
    found = study.agreement(mechanisms).mechanisms["spearman"]
    return [{"name": f"ceiling ({label}), {name}", "value": float(found[name])} for name in study.acting]


if __name__ == "__main__":
    main("truth_recovery", truth_recovery)
