"""Judge an experiment's models on cohorts or groups that they were not trained on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from nbrelapse.errors import InputError
from nbrelapse.experiment.config import ExperimentConfig
from nbrelapse.experiment.prepare import PreparedData
from nbrelapse.models.risk_model import RiskModel
from nbrelapse.validation.evaluate import Evaluation
from nbrelapse.validation.fold_cache import FoldCache
from nbrelapse.validation.leave_one_group_out import leave_one_group_out

_MOST_GROUPS = 30
"""More values than that are no cohorts or cooperative groups. A choice."""


def leave_one_out(
    config: ExperimentConfig,
    data: PreparedData,
    models: Mapping[str, RiskModel],
    references: Sequence[str],
    *,
    n_jobs: int = 1,
    cache: FoldCache | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Leave each group of training patients out in turn, as ``[leave_one_out]`` of the experiment file says.

    Parameters
    ----------
    config : ExperimentConfig
        With ``leave_one_out``.
    data : PreparedData
    models : mapping of str to RiskModel
    references : sequence of str
        The clinical baselines among them.
    n_jobs : int
    cache : FoldCache, optional
    progress : callable, optional

    Returns
    -------
    Evaluation
        The populations are the groups judged and ``mean of groups``; groups without an outcome, or too small to be
        judged, are in the notes.

    Raises
    ------
    InputError
        The cohort has no such column, or its values are no groups that can be left out.
    """
    assert config.leave_one_out is not None
    groups, without = patient_groups(config.leave_one_out.column, data)
    settings = config.validation
    found = leave_one_group_out(
        models,
        data.features(data.training),
        data.training.y,
        groups,
        references=references,
        n_inner_folds=settings.inner_folds,
        n_trials=settings.trials,
        seed=config.seed,
        n_bootstrap=settings.bootstrap,
        interval=settings.interval,
        n_jobs=n_jobs,
        cache=cache,
        progress=progress,
    ).evaluation
    notes = [f"{name}: left out, nobody in it has an outcome of endpoint {config.endpoint!r}" for name in without]
    return Evaluation(found.metrics, found.differences, [*notes, *found.notes])


def patient_groups(column: str, data: PreparedData) -> tuple[pd.Series, list[str]]:
    """Return the group of each training patient, and the groups of the cohort that have no patient with an outcome.

    Raises
    ------
    InputError
        The cohort has no such column, or it holds far too many values.
    """
    patients = data.cohort.patients.set_index("patient_id")
    if column not in patients:
        raise InputError(
            "the cohort lacks the column whose values are to be left out",
            column=column,
            expected=", ".join(patients.columns),
        )
    everybody = patients[column].astype("string")
    groups = everybody.reindex(data.training.patient_ids)
    if groups.nunique() > _MOST_GROUPS:
        raise InputError(
            f"{groups.nunique()} values are too many to leave out one by one",
            column=column,
            expected=f"a column of at most {_MOST_GROUPS} cohorts or groups",
        )
    with_outcome = set(groups.dropna())
    if data.holdout is not None:
        with_outcome |= set(everybody.reindex(data.holdout.patient_ids).dropna())
    without = sorted(set(everybody.dropna()) - with_outcome)
    return groups, without if len(without) <= _MOST_GROUPS else []
