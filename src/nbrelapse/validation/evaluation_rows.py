"""Rows of an evaluation's tables from the values in every resample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from nbrelapse.validation.bootstrap_interval import bootstrap_interval


def evaluation_rows(
    replicates: Mapping[tuple[str, str], np.ndarray],
    references: Sequence[str],
    population: str,
    *,
    n: int,
    events: int,
    n_bootstrap: int,
) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Return the rows of metrics, and of paired differences from the references, of one population.

    Parameters
    ----------
    replicates : mapping of (model, metric) to ndarray of shape (n_columns,)
        From :func:`metric_replicates`: the sample itself, the resamples, and for BCa intervals a jackknife.
    references : sequence of str
    population : str
    n, events, n_bootstrap : int

    Returns
    -------
    metrics, differences : list of dict
        The columns of :class:`Evaluation`.
    """
    metrics: list[dict[str, object]] = []
    differences: list[dict[str, object]] = []
    for (model, metric), values in replicates.items():
        row: dict[str, object] = {"model": model, "population": population, "metric": metric}
        metrics.append(row | _interval("value", values, n_bootstrap) | {"n": n, "events": events})
        differences += [
            row
            | {"reference": reference}
            | _interval("difference", values - replicates[reference, metric], n_bootstrap)
            for reference in references
            if reference != model
        ]
    return metrics, differences


def _interval(name: str, values: np.ndarray, n_bootstrap: int) -> dict[str, object]:
    """Value and 95 % interval; with columns beyond the resamples, those of a jackknife, the BCa interval."""
    resamples, jackknife = np.split(values[1:], [n_bootstrap])
    low, high = bootstrap_interval(float(values[0]), resamples, jackknife if len(jackknife) else None)
    return {name: float(values[0]), "low": low, "high": high}
