"""From an experiment's settings to its models and to the features and outcomes they train on."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from nbrelapse.cohort.cohort import ASSAYS, Cohort
from nbrelapse.cohort.merge import is_merged, merge_folders
from nbrelapse.cohort.schema import LAYER
from nbrelapse.cohort.select import take_where
from nbrelapse.cohort.storage import read_cohort
from nbrelapse.errors import InputError
from nbrelapse.experiment.config import ExperimentConfig, _FeatureChoice
from nbrelapse.mechanisms.build import build_features
from nbrelapse.mechanisms.catalogue import Catalogue, PriorKnowledge, load_catalogue
from nbrelapse.mechanisms.feature_table import FeatureTable, later_columns
from nbrelapse.mechanisms.gene_sets import read_gene_sets, with_gene_features
from nbrelapse.mechanisms.layers import with_all_genes, with_layer_features
from nbrelapse.models.base import RiskModel
from nbrelapse.models.design import uninformative
from nbrelapse.models.ensemble import Ensemble, EnsembleClassifier, ensemble_blocks
from nbrelapse.models.families import FAMILIES, clinical_baselines, create_model, model_title
from nbrelapse.models.prior import prior_of_model
from nbrelapse.models.recalibration import recalibrated
from nbrelapse.outcome import Outcome, data_fingerprint, event_of, make_outcome, outcome_fingerprint
from nbrelapse.scoring.reading import load_model
from nbrelapse.simulation.files import simulate_cohort
from nbrelapse.validation.splits import named_split


@dataclass(frozen=True)
class _PreparedData:
    """What an experiment works on.

    Parameters
    ----------
    cohort : Cohort
        The patients that the experiment's condition is true of.
    table : FeatureTable
        All features of all patients, the clinical groupings among them.
    columns : list of str
        The features that the models may read.
    left_out : dict of str to str
        Features that they may not, with the reason.
    training, holdout : Outcome
        ``holdout`` is None where the experiment names none.
    studies : Series of str or None
        The study of each patient with an outcome, where models have a baseline hazard for each.
    unsplit : Index
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
    unsplit: pd.Index
    gene_sets: dict[str, list[str]]
    studies: pd.Series | None = None

    def features(self, outcome: Outcome) -> pd.DataFrame:
        """Feature values of the patients of an outcome, in its order."""
        return self.table.values.loc[outcome.patient_ids]


def _prepare_data(config: ExperimentConfig) -> _PreparedData:
    """Read the cohort, build its features and outcomes, and split it as the experiment says.

    Raises
    ------
    InputError
        The cohort, catalogue or gene sets cannot be read, the condition is true of nobody or reads the outcome, the
        split leaves one side without an event, or no feature is left.
    """
    cohort = _cohort(config)
    gene_sets = {} if config.cohort.gene_sets is None else read_gene_sets(config.cohort.gene_sets)
    catalogue = load_catalogue(config.catalogue)
    catalogue = _with_genes_and_layers(catalogue, config.features, cohort, gene_sets)
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
    unsplit = outcome.patient_ids.difference(training.patient_ids, sort=False)
    if holdout is not None:
        unsplit = unsplit.difference(holdout.patient_ids, sort=False)
    judged = training.patient_ids if holdout is None else training.patient_ids.append(holdout.patient_ids)
    studies = _studies(config, cohort, judged)
    return _PreparedData(cohort, table, columns, left_out, training, holdout, unsplit, gene_sets, studies)


def _with_genes_and_layers(
    catalogue: Catalogue, choice: _FeatureChoice, cohort: Cohort, gene_sets: dict[str, list[str]]
) -> Catalogue:
    """Return the catalogue with the single genes and the rows of layers that the experiment asks for."""
    if choice.genes and cohort.expression is not None:
        measured = cohort.expression.index
        every = choice.genes == "all"
        catalogue = (
            with_all_genes(catalogue, measured, gene_sets)
            if every
            else with_gene_features(catalogue, gene_sets, measured)
        )
    if choice.layers is False:
        return catalogue
    return with_layer_features(catalogue, cohort, None if choice.layers is True else choice.layers, gene_sets)


def _cohort(config: ExperimentConfig) -> Cohort:
    source = config.cohort
    if source.simulate is not None:
        cohort = simulate_cohort(source.simulate.patients, source.simulate.seed)
    else:
        folders = source.folders
        several = len(folders) > 1
        cohort = merge_folders(folders, uncertain=source.uncertain) if several else read_cohort(folders[0])
    cohort = take_where(cohort, source.where, barred=later_columns(config.endpoint, config.landmark_days))
    return cohort if config.features.assays is None else _with_assays(cohort, config.features.assays)


def _with_assays(cohort: Cohort, assays: Sequence[str]) -> Cohort:
    """Return a cohort as if only these assays, and those of its layers, had been done.

    Raises
    ------
    InputError
        None of its samples has one of the assays.
    """
    done = cohort.assays["assay"].astype("str")
    absent = [name for name in assays if not (done == name).any()]
    if absent:
        there = [name for name in ASSAYS if (done == name).any()]
        raise InputError(
            f"no sample of the cohort has this assay: {', '.join(absent)}",
            column="features.assays",
            expected=f"some of {', '.join(there)}" if there else "a cohort with molecular data",
        )
    return replace(cohort, assays=cohort.assays[done.isin(assays) | done.str.startswith(LAYER)])


_MOST_GROUPS = 30
"""More values than that are no cohorts or cooperative groups. A choice."""


def _group_of(cohort: Cohort, column: str, patients: pd.Index, purpose: str) -> pd.Series:
    """Return the group of some patients by a column of ``patients``, missing where it is not recorded.

    Raises
    ------
    InputError
        The cohort has no such column, or it holds far too many values.
    """
    table = cohort.patients.set_index("patient_id")
    if column not in table:
        raise InputError(
            f"the cohort lacks the column whose values are {purpose}",
            column=column,
            expected=", ".join(table.columns),
        )
    groups = table[column].astype("string").reindex(patients)
    if groups.nunique() > _MOST_GROUPS:
        raise InputError(
            f"{groups.nunique()} values are too many {purpose}",
            column=column,
            expected=f"a column of at most {_MOST_GROUPS} cohorts or groups",
        )
    return groups


def _studies(config: ExperimentConfig, cohort: Cohort, patients: pd.Index) -> pd.Series | None:
    """Return the study of each patient, where models are to have a baseline hazard for each."""
    if config.strata == "none" or (config.strata == "auto" and not is_merged(cohort)):
        return None
    column = "study" if config.strata == "auto" else config.strata
    groups = _group_of(cohort, column, patients, "to have a baseline hazard each")
    unknown = int(groups.isna().sum())
    if unknown:
        raise InputError(
            f"of {unknown} of {len(groups)} patients with an outcome it is not known which baseline hazard is theirs",
            column=column,
            expected="a value for each of them",
            fix=f'fill the column, leave them out (where = "{column} is not None"), or say strata = "none"',
        )
    return groups.astype("str") if len(set(groups)) > 1 else None


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
    held = [("validation", holdout)] if config.split.validation else []
    for name, side in [("train", training), *held]:
        if not (event_of(side.y) == 1).any():
            raise InputError(
                f"nobody on this side of the split has the event of endpoint {config.endpoint!r}",
                column=f"split.{name}",
                expected=f"at least one event among its {len(side.y)} patients whose outcome is recorded",
            )
    return training, holdout if held else None


def _choose_features(
    table: FeatureTable, choice: _FeatureChoice, training: pd.Index
) -> tuple[list[str], dict[str, str]]:
    names = table.model_columns()
    chosen = {name for pattern in choice.include for name in fnmatch.filter(names, pattern)}
    chosen -= {name for pattern in choice.exclude for name in fnmatch.filter(names, pattern)}
    values = table.values.loc[training, [name for name in names if name in chosen]]
    # Most of thousands of rows of layers are known and differ: they need no closer look.
    least, most = values.min().to_numpy(), values.max().to_numpy()
    plain = values.notna().all().to_numpy() & (least < most)
    clear = set(values.columns[plain])
    columns, left_out = [], {}
    for name in names:
        reason = None
        if name not in chosen:
            reason = "not chosen in the experiment file"
        elif name not in clear:
            reason = uninformative(values[name], choice.min_observed)
        if reason is None:
            columns.append(name)
        else:
            left_out[name] = reason
    if not columns:
        raise InputError(
            "no feature is left for the models",
            column="features",
            expected="at least one feature with values in the training patients",
            fix="import more assays, or loosen include, exclude or min_observed",
        )
    return columns, left_out


def _experiment_models(config: ExperimentConfig, data: _PreparedData) -> tuple[dict[str, RiskModel], list[str]]:
    """Return the unfitted models to compare, the clinical baselines first, and which of these are unavailable.

    Parameters
    ----------
    config : ExperimentConfig
    data : PreparedData

    Returns
    -------
    models : dict of str to RiskModel
        By name; families that cannot weigh single genes are not given any.
    notes : list of str

    Raises
    ------
    InputError
        The saved model that the experiment starts from cannot be used, see :func:`_expected_effects`.
    """
    catalogue = data.table.catalogue
    directions = {name: catalogue.features[name].direction_for(config.endpoint) for name in data.columns}
    values = data.features(data.training)
    prior = _expected_effects(config, data)
    models: dict[str, RiskModel] = {}
    notes = []
    binary = not data.training.kind.has_time
    strata = data.studies
    for name in clinical_baselines(binary=binary):
        baseline = create_model(name, strata=strata, binary=binary)
        if baseline.available(values):
            models[name] = baseline
        else:
            notes.append(
                f"{model_title(name)} is left out: what it reads is the same in all training patients, or not known"
            )
    without_genes = [name for name in data.columns if catalogue.features[name].role != "gene"]
    for name in config.models:
        columns = data.columns if FAMILIES[name].reads_genes else without_genes
        models[name] = create_model(
            name,
            columns=columns,
            directions=directions,
            prior=prior,
            strata=strata,
            seed=config.seed,
            binary=binary,
        )
        if isinstance(models[name], Ensemble | EnsembleClassifier):
            models[name].set_params(
                blocks=ensemble_blocks(catalogue, columns),
                companions={} if binary else _companions(config, data),
                start=None if config.prior_model is None else prior,
            )
        if "not_assayed" in models[name].get_params(deep=False):
            models[name].set_params(not_assayed=config.features.not_assayed)
        if config.recalibrate == "group":
            models[name] = recalibrated(models[name])
    return models, notes


def _companions(config: ExperimentConfig, data: _PreparedData) -> dict[str, Outcome]:
    """Return the other times to an event that the cohort can carry, counted from the same day."""
    found = {}
    for endpoint in sorted({"relapse", "efs", "os"} - {config.endpoint}):
        try:
            outcome = make_outcome(
                data.cohort, endpoint, unspecified=config.unspecified, landmark_days=config.landmark_days
            )
        except InputError:
            continue  # the cohort does not record it
        kept = outcome.patient_ids.intersection(data.training.patient_ids, sort=False)
        if len(kept):
            found[endpoint] = outcome.take(kept)
    return found


def _expected_effects(config: ExperimentConfig, data: _PreparedData) -> PriorKnowledge:
    """Return the effects that the experiment's saved model found, or those of the literature.

    Parameters
    ----------
    config : ExperimentConfig
    data : PreparedData

    Returns
    -------
    PriorKnowledge

    Raises
    ------
    InputError
        The saved model cannot be loaded, is of another endpoint, is not linear, or was trained on these very patients.
    """
    if config.prior_model is None:
        return PriorKnowledge.of_catalogue(data.table.catalogue, data.columns, config.endpoint)
    bundle = load_model(config.prior_model)
    if bundle.endpoint != config.endpoint:
        raise InputError(
            f"the saved model is of the endpoint {bundle.endpoint!r}",
            file=config.prior_model,
            column="prior_model",
            expected=f"a model of {config.endpoint!r}",
        )
    if bundle.training.outcome_fingerprint == outcome_fingerprint(data.training):
        raise InputError(
            "the saved model was trained on the patients of this experiment: they would count twice",
            file=config.prior_model,
            column="prior_model",
            fix="name a model of other patients, or leave prior_model out",
        )
    return prior_of_model(bundle.model)


def _data_fingerprint(data: _PreparedData, outcome: Outcome | None = None) -> str:
    """Fingerprint of the features that models may read and the outcomes, of the training patients or of others."""
    patients = data.training if outcome is None else outcome
    return data_fingerprint(data.features(patients)[data.columns], patients)
