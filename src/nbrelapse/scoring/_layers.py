"""What speaks against the layers of a cohort, beside those that a model was trained on."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.cohort.layer_rows import RANKED_UNITS
from nbrelapse.cohort.layers import as_layers, layer_assay
from nbrelapse.scoring.training_summary import LayerSummary

_ROW_RATIO = 1.5
"""Ranks are among the rows of a layer; beyond this ratio of their number to training's a warning goes with the score.
The same choice of caution as for the genes of expression."""


def _layer_warnings_of(
    trained: Mapping[str, LayerSummary], relied_on: Collection[str], cohort: Cohort
) -> dict[str, np.ndarray]:
    """Return warnings with a mask of the patients they are for.

    Parameters
    ----------
    trained : mapping of str to LayerSummary
        The layers in training.
    relied_on : collection of str
        Layers that carry weight in the model.
    cohort : Cohort
        Its layers are in training's units: the builder refuses others.

    Returns
    -------
    dict of str to ndarray of bool, shape (n_patients,)
        Of a layer that a patient does not have; of ranks among far more or fewer rows than in training; of values most
        of which lie outside those of training, as on another scale.
    """
    layers, warnings = as_layers(cohort.layers), {}
    for name in relied_on:
        chosen = cohort.assayed_samples(layer_assay(name))
        own = chosen.index[chosen.isin(layers.samples(name))] if name in layers else chosen.index[:0]
        has = cohort.patient_ids.isin(own)
        words = name.replace("_", " ")
        warnings[f"the layer {words}, which the model reads, is not known: the score does without it"] = ~has
        if name not in layers or name not in trained:
            continue
        training = trained[name]
        if training.unit in RANKED_UNITS:
            if not training.rows / _ROW_RATIO <= layers.n_rows(name) <= training.rows * _ROW_RATIO:
                told = f"the layer {words} has {layers.n_rows(name):,} rows, in training {training.rows:,}"
                warnings[f"{told}: its ranks are not comparable"] = has
            continue
        middle = float(np.nanmedian(layers[name].to_numpy()))
        if not training.low <= middle <= training.high:
            told = f"the layer {words} holds other values than in training"
            usual = f"half of them are below {middle:.4g}, nearly all in training from {training.low:.4g} to "
            warnings[f"{told}: {usual}{training.high:.4g}; is it on the same scale ({training.unit})?"] = has
    return {warning: mask for warning, mask in warnings.items() if mask.any()}
