"""The permuted-outcome control: with permuted outcomes the pipeline must find nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import t as student

from nbrelapse.experiment.config import ExperimentConfig, _Validation
from nbrelapse.experiment.leakage import _leakage_check
from nbrelapse.experiment.prepare import _experiment_models, _prepare_data
from nbrelapse.experiment.run import _Progress
from nbrelapse.validation.guards import CHOSEN, permuted_discrimination

TOLERATED = (0.47, 0.53)
"""Mean concordances that count as chance. A choice: it leaves room for what choosing the best of several families adds
(0.009 for two of them in 500 patients, see benchmarks/null_check.py), and is narrow enough for a leak to show."""


@dataclass(frozen=True)
class NullCheck:
    """What the pipeline found in patients whose outcomes were permuted.

    Parameters
    ----------
    values : DataFrame of shape (n_permutations, n_families + 1)
        Harrell's C in nested cross-validation (the AUC of a binary endpoint); a row a permutation, a column a family,
        and ``chosen``: that of the family that an experiment would choose by them.
    summary : DataFrame
        By column of ``values``: ``mean``, ``sd``, the 95 % t interval ``low`` and ``high`` of the mean, ``smallest``,
        ``largest``, and ``inside``, the number of permutations within ``TOLERATED``.
    compatible : bool
        Whether the 99 % interval of every family's mean reaches into ``TOLERATED``. ``chosen`` is not judged: it lies
        above chance by what choosing gains, the more so the fewer the events.
    notes : list of str
        What was shortened, and what the figures cannot tell.
    """

    values: pd.DataFrame
    summary: pd.DataFrame
    compatible: bool
    notes: list[str]


def null_check(
    config: ExperimentConfig,
    *,
    permutations: int = 20,
    trials: int | None = None,
    n_jobs: int = 1,
    progress: _Progress | None = None,
) -> NullCheck:
    """Run an experiment's nested cross-validation on permuted outcomes.

    The features, their choice, tuning, the folds and the choice between the families are the experiment's; event and
    time move together from patient to patient, so that only the link between features and outcome is cut. The hold-out
    is not touched. Each permutation is divided into folds once, however often the experiment repeats them.

    The expectation under the null is 0.5, less a little: the outcomes of the test patients are those that training has
    not used up, so what is by chance associated with a high risk in one part is associated with a lower one in the
    other. That bias is of the order of one over the number of patients, and is seen only in small cohorts. Pooling the
    log risks of different fold models would add a larger one [1]_; here patients are compared within a fold only.
    ``chosen`` is above 0.5 by what choosing among several figures gains.

    Parameters
    ----------
    config : ExperimentConfig
    permutations : int
        At least 5.
    trials : int, optional
        Tuning trials; those of the experiment by default. Fewer are faster, and are said in the notes.
    n_jobs : int
        Processes over permutations; the results do not depend on it.
    progress : callable, optional

    Returns
    -------
    NullCheck

    Raises
    ------
    InputError
        There are fewer than five permutations, or the data cannot carry the experiment.

    References
    ----------
    .. [1] Parker 2007, Stratification bias in low signal microarray studies, BMC Bioinformatics,
       10.1186/1471-2105-8-326
    """
    report = progress or (lambda stage, done, total: None)
    report("features", 0, 1)
    data = _prepare_data(config)
    report("features", 1, 1)
    _leakage_check(config, data)
    models, _ = _experiment_models(config, data)
    settings = config.validation.model_copy(update={"trials": trials or config.validation.trials})
    found = permuted_discrimination(
        {name: models[name] for name in config.models},
        data.features(data.training),
        data.training.y,
        n_permutations=permutations,
        n_folds=settings.folds,
        n_inner_folds=settings.inner_folds,
        n_trials=settings.trials,
        seed=config.seed,
        n_jobs=n_jobs,
        progress=lambda done, total: report("permutations", done, total),
    )
    summary = _summarize(found)
    # Several families are judged, and an alarm has to mean something: 99 %.
    wide = _summarize(found.drop(columns=CHOSEN), level=0.99)
    compatible = bool(((wide["high"] >= TOLERATED[0]) & (wide["low"] <= TOLERATED[1])).all())
    return NullCheck(found, summary, compatible, _notes(config, settings, summary))


def _summarize(values: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Summarise figures column by column, with t intervals of a level; see :class:`NullCheck`.

    Examples
    --------
    >>> _summarize(pd.DataFrame({"cox": [0.48, 0.50, 0.55]})).round(3).loc["cox"].to_dict()
    {'mean': 0.51, 'sd': 0.036, 'low': 0.42, 'high': 0.6, 'smallest': 0.48, 'largest': 0.55, 'inside': 2.0}
    """
    mean, sd, n = values.mean(), values.std(ddof=1), len(values)
    half = student.ppf((1 + level) / 2, n - 1) * sd / np.sqrt(n)
    return pd.DataFrame(
        {
            "mean": mean,
            "sd": sd,
            "low": mean - half,
            "high": mean + half,
            "smallest": values.min(),
            "largest": values.max(),
            "inside": ((values >= TOLERATED[0]) & (values <= TOLERATED[1])).sum(),
        }
    )


def _notes(config: ExperimentConfig, used: _Validation, summary: pd.DataFrame) -> list[str]:
    notes = []
    asked = config.validation
    if asked.repeats > 1:
        notes.append(f"each permutation was divided into folds once, not {asked.repeats} times")
    if used.trials != asked.trials:
        notes.append(f"models were tuned by {used.trials} trials, not by the experiment's {asked.trials}")
    half = float(((summary["high"] - summary["low"]) / 2).max())
    width = (TOLERATED[1] - TOLERATED[0]) / 2
    if half > width:
        notes.append(
            f"the mean is known to ±{half:.3f} only: a leak worth {width:.2f} could be missed, use more permutations"
        )
    return notes
