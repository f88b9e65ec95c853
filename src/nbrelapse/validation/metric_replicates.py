"""Every metric of every model in every bootstrap resample."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nbrelapse.outcome.event_of import event_of
from nbrelapse.validation.compute_metrics import compute_metrics
from nbrelapse.validation.judged_patients import JudgedPatients
from nbrelapse.validation.metric_kind import MetricKind
from nbrelapse.validation.predictions import Predictions


def metric_replicates(
    predictions: Mapping[str, Predictions], judged: JudgedPatients, n_bootstrap: int
) -> tuple[dict[tuple[str, str], np.ndarray], list[str]]:
    """Compute every metric of every model for each column of patient weights, and say what is missing.

    Parameters
    ----------
    predictions : mapping of str to Predictions
        Of the patients judged, by model.
    judged : JudgedPatients
    n_bootstrap : int
        Columns of weights that are resamples: the second to the one after the last of them.

    Returns
    -------
    replicates : dict of (model, metric) to ndarray of shape (n_columns,)
    notes : list of str
    """
    notes = [*judged.horizons.notes, *_folds_without_events(predictions, judged.y)]
    replicates = {}
    for model, prediction in predictions.items():
        for metric, values in compute_metrics(prediction, judged).items():
            replicates[model, metric] = values
            undefined = int(np.isnan(values[1 : n_bootstrap + 1]).sum())
            if np.isnan(values[0]):
                notes.append(f"{metric} of {model} is undefined, {MetricKind.of(metric).undefined}")
            elif undefined:
                notes.append(f"{metric} of {model} is undefined in {undefined} of {n_bootstrap} resamples")
    return replicates, notes


def _folds_without_events(predictions: Mapping[str, Predictions], y: np.ndarray) -> list[str]:
    notes = []
    for prediction in predictions.values():
        folds = [event_of(y)[row == name] for row in prediction.fold for name in np.unique(row)]
        without = sum(not (events == 1).any() for events in folds)
        if without:
            notes.append(f"{without} of {len(folds)} folds hold no event, they say nothing of the ranking")
    return list(dict.fromkeys(notes))
