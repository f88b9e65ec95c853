"""Judge models group by group, and on the mean over the groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from nbrelapse.outcome.event_of import event_of
from nbrelapse.validation.censoring import CensoringDistribution
from nbrelapse.validation.evaluate import Evaluation
from nbrelapse.validation.evaluation_rows import evaluation_rows
from nbrelapse.validation.interval_weights import IntervalKind, interval_weights
from nbrelapse.validation.judged_patients import JudgedPatients
from nbrelapse.validation.metric_replicates import metric_replicates
from nbrelapse.validation.predictions import Predictions
from nbrelapse.validation.supported_horizons import SupportedHorizons

MEAN = "mean of groups"
"""The population that holds the mean over the groups."""


def evaluate_groups(
    predictions: Mapping[str, Predictions],
    y: np.ndarray,
    groups: np.ndarray,
    *,
    references: Sequence[str],
    n_bootstrap: int = 1000,
    seed: int = 0,
    interval: IntervalKind = "percentile",
) -> Evaluation:
    """Judge models within each group and by the mean of each metric over the groups.

    In a resample every group is drawn anew from its own patients, independently of the others; the mean's interval is
    that of the means of these resamples. It says how much the figure depends on the patients, not on which groups
    there were. Groups count equally, whatever their size. Censoring is that of the group judged.

    Parameters
    ----------
    predictions : mapping of str to Predictions
        By model.
    y : ndarray of shape (n,)
    groups : ndarray of str, shape (n,)
    references : sequence of str
        Models that the others are compared with.
    n_bootstrap, seed : int
    interval : {"percentile", "bca"}
        See :func:`bootstrap_interval`. The jackknife of the mean leaves out the patients of every group in turn.

    Returns
    -------
    Evaluation
        The populations are the groups and ``mean of groups``. A metric that some group does not have (a horizon
        beyond its follow-up, say) has no mean, with a note.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> risk = rng.normal(size=(1, 60))
    >>> y = np.array([(i % 2, t) for i, t in enumerate(900 * rng.exponential(np.exp(-risk[0])))], "i1, f8")
    >>> y.dtype.names = ("event", "time")
    >>> fold, times = np.zeros((1, 60), int), np.array([90.0, 180.0])
    >>> models = {"good": Predictions("good", risk, fold, np.full((1, 60, 2), 0.2), times)}
    >>> found = evaluate_groups(models, y, np.repeat(["A", "B"], 30), references=[], n_bootstrap=100)
    >>> found.metrics.query("metric == 'harrell_c'").set_index("population")["value"].round(2).to_dict()
    {'A': 0.76, 'B': 0.72, 'mean of groups': 0.74}
    """
    metrics: list[dict[str, object]] = []
    differences: list[dict[str, object]] = []
    notes: list[str] = []
    by_group: list[dict[tuple[str, str], np.ndarray]] = []
    names = [str(name) for name in np.unique(groups)]
    for name in names:
        members = np.flatnonzero(groups == name)
        # Of the name, so that a group is drawn alike whichever others there are.
        child = int(np.random.SeedSequence([seed, *name.encode()]).generate_state(1)[0])
        replicates, found = _replicates(
            predictions, y[members], members, n_bootstrap, interval_weights(len(members), n_bootstrap, child, interval)
        )
        notes += [f"{name}: {note}" for note in found]
        by_group.append(replicates)
        _add(metrics, differences, replicates, references, name, y[members], n_bootstrap)
    shared = [key for key in by_group[0] if all(key in group for group in by_group)]
    mean = {key: _mean([group[key] for group in by_group], n_bootstrap) for key in shared}
    partial = sorted({metric for group in by_group for _, metric in group} - {metric for _, metric in shared})
    if partial:
        notes.append(f"{MEAN}: {', '.join(partial)} left out, not every group has it")
    _add(metrics, differences, mean, references, MEAN, y, n_bootstrap)
    return Evaluation.of(metrics, differences, notes)


def _replicates(
    predictions: Mapping[str, Predictions], y: np.ndarray, members: np.ndarray, n_bootstrap: int, weights: np.ndarray
) -> tuple[dict[tuple[str, str], np.ndarray], list[str]]:
    censoring = CensoringDistribution.fit(y)
    horizons = SupportedHorizons.of(y, censoring, next(iter(predictions.values())).times)
    inside = {model: prediction.take(members) for model, prediction in predictions.items()}
    return metric_replicates(inside, JudgedPatients(y, weights, censoring, horizons), n_bootstrap)


def _mean(groups: Sequence[np.ndarray], n_bootstrap: int) -> np.ndarray:
    """Mean over groups in the sample and in each resample, then with patients of one group after another left out."""
    own = np.mean([values[: n_bootstrap + 1] for values in groups], axis=0)
    left_out = [own[0] + (values[n_bootstrap + 1 :] - values[0]) / len(groups) for values in groups]
    return np.concatenate([own, *left_out])


def _add(
    metrics: list[dict[str, object]],
    differences: list[dict[str, object]],
    replicates: Mapping[tuple[str, str], np.ndarray],
    references: Sequence[str],
    population: str,
    y: np.ndarray,
    n_bootstrap: int,
) -> None:
    events = int((event_of(y) == 1).sum())
    rows = evaluation_rows(replicates, references, population, n=len(y), events=events, n_bootstrap=n_bootstrap)
    metrics += rows[0]
    differences += rows[1]
