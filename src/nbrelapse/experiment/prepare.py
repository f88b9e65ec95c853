"""From an experiment's settings to features and outcomes of its training and hold-out patients."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatch

import pandas as pd

from nbrelapse.cohort import Cohort, read_cohort, simulate_cohort
from nbrelapse.errors import InputError
from nbrelapse.experiment.config import ExperimentConfig, FeatureChoice
from nbrelapse.mechanisms import FeatureTable, build_features, load_catalogue
from nbrelapse.mechanisms.gene_features import with_gene_features
from nbrelapse.mechanisms.gene_sets import read_gene_sets
from nbrelapse.outcome import Outcome, make_outcome
from nbrelapse.outcome.event_of import event_of
from nbrelapse.validation.splits import named_split


@dataclass(frozen=True)
class PreparedData:
    """What an experiment works on.

    Parameters
    ----------
    cohort : Cohort
    table : FeatureTable
        All features of all patients, the clinical groupings among them.
    columns : list of str
        The features that the models may read.
    left_out : dict of str to str
        Features that they may not, with the reason.
    training, holdout : Outcome
        ``holdout`` is None without a named split.
    unsplit : int
        Patients with an outcome that are on neither side of a named split.
    gene_sets : dict of str to list of str
        The user's gene sets that features were built from.
    """

    cohort: Cohort
    table: FeatureTable
    columns: list[str]
    left_out: dict[str, str]
    training: Outcome
    holdout: Outcome | None
    unsplit: int
    gene_sets: dict[str, list[str]]

    def features(self, outcome: Outcome) -> pd.DataFrame:
        """Feature values of the patients of an outcome, in its order."""
        return self.table.values.loc[outcome.patient_ids]


def prepare_data(config: ExperimentConfig) -> PreparedData:
    """Read the cohort, build its features and outcomes, and split it as the experiment says.

    Raises
    ------
    InputError
        The cohort, catalogue or gene sets cannot be read, the split leaves one side without an event, or no feature is
        left.
    """
    cohort = _cohort(config)
    gene_sets = {} if config.cohort.gene_sets is None else read_gene_sets(config.cohort.gene_sets)
    catalogue = load_catalogue(config.catalogue)
    if config.features.genes and cohort.expression is not None:
        catalogue = with_gene_features(catalogue, gene_sets, cohort.expression.index)
    table = build_features(cohort, catalogue, gene_sets)
    outcome = make_outcome(
        cohort,
        config.endpoint,
        unspecified=config.unspecified,
        progressive=config.progressive,
        landmark_days=config.landmark_days,
    )
    training, holdout = _split(config, cohort, outcome)
    columns, left_out = _choose_features(table, config.features, training.patient_ids)
    unsplit = len(outcome.y) - len(training.y) - (0 if holdout is None else len(holdout.y))
    return PreparedData(cohort, table, columns, left_out, training, holdout, unsplit, gene_sets)


def _cohort(config: ExperimentConfig) -> Cohort:
    source = config.cohort
    if source.simulate is not None:
        return simulate_cohort(source.simulate.patients, source.simulate.seed)
    assert source.path is not None
    return read_cohort(source.path)


def _split(config: ExperimentConfig, cohort: Cohort, outcome: Outcome) -> tuple[Outcome, Outcome | None]:
    if config.split is None:
        return outcome, None
    patients = cohort.patients.set_index("patient_id")
    if config.split.column not in patients:
        raise InputError(
            "the cohort lacks the column that the split is made by",
            column=config.split.column,
            expected=", ".join(patients.columns),
        )
    sides = named_split(patients[config.split.column], config.split.train, config.split.validation)
    training, holdout = (
        outcome.take(outcome.patient_ids[outcome.patient_ids.isin(patients.index[side])]) for side in sides
    )
    for name, side in (("train", training), ("validation", holdout)):
        if not (event_of(side.y) == 1).any():
            raise InputError(
                f"nobody on this side of the split has the event of endpoint {config.endpoint!r}",
                column=f"split.{name}",
                expected=f"at least one event among its {len(side.y)} patients whose outcome is recorded",
            )
    return training, holdout


def _choose_features(
    table: FeatureTable, choice: FeatureChoice, training: pd.Index
) -> tuple[list[str], dict[str, str]]:
    values = table.values.loc[training]
    columns, left_out = [], {}
    for name in table.model_columns():
        chosen = any(fnmatch(name, pattern) for pattern in choice.include)
        chosen = chosen and not any(fnmatch(name, pattern) for pattern in choice.exclude)
        observed = values[name].notna().mean()
        if not chosen:
            left_out[name] = "not chosen in the experiment file"
        elif observed < choice.min_observed:
            left_out[name] = (
                f"known in {observed:.0%} of the training patients (min_observed {choice.min_observed:.0%})"
            )
        elif values[name].nunique() < 2:
            left_out[name] = "the same in all training patients"
        else:
            columns.append(name)
    if not columns:
        raise InputError(
            "no feature is left for the models",
            column="features",
            expected="at least one feature with values in the training patients",
            mend="import more assays, or loosen include, exclude or min_observed",
        )
    return columns, left_out
