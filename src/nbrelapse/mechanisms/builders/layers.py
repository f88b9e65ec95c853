"""Features from layers: ranks within the sample, or values as they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.cohort.layer_rows import RANKED_UNITS
from nbrelapse.cohort.layers import layer_assay
from nbrelapse.errors import InputError
from nbrelapse.mechanisms.builder_rules import check_parameters
from nbrelapse.mechanisms.builders.expression import _SAMPLES_AT_A_TIME, _within_sample_ranks
from nbrelapse.mechanisms.catalogue import FeatureDefinition

_PARAMETERS = ("layer", "row", "unit")


def build(cohort: Cohort, definitions: Sequence[FeatureDefinition]) -> pd.DataFrame:
    """Read the rows of layers, of each patient's diagnosis sample.

    Rows in log2, counts, TPM, FPKM or another linear unit are percentiles of their ranks within the sample,
    (r - 0.5) / n among the n measured rows of the layer, as single genes are: they do not change with the unit or the
    log base. Rows of any other unit, such as scores of gene sets, are taken as they are. No sample is compared with
    another.

    Parameters
    ----------
    cohort : Cohort
    definitions : sequence of FeatureDefinition
        With the parameters ``layer``, ``row`` and ``unit``.

    Returns
    -------
    DataFrame of float64
        Indexed by ``cohort.patient_ids``. NaN where the cohort, or the patient, has no such layer, or it has no such
        row, or no value in it.

    Raises
    ------
    InputError
        An entry has another parameter or lacks one, or the cohort has the layer in another unit than the entry says.

    Examples
    --------
    >>> cohort = Cohort(
    ...     "two",
    ...     pd.DataFrame({"patient_id": ["p1", "p2"]}),
    ...     pd.DataFrame({"sample_id": ["s1"], "patient_id": ["p1"], "timepoint": ["diagnosis"]}),
    ...     pd.DataFrame({"sample_id": ["s1"], "assay": ["layer:cells"]}),
    ...     layers={"cells": pd.DataFrame({"s1": [0.4, 0.1]}, index=["B cells", "Treg"])},
    ...     metadata={"layers": {"cells": {"unit": "score", "mechanism": "none"}}},
    ... )
    >>> entry = FeatureDefinition("other__cells_Treg", "other", "Treg", "", "layer:cells", "continuous", "layers",
    ...     {"layer": "cells", "row": "Treg", "unit": "score"})
    >>> build(cohort, [entry])["other__cells_Treg"].to_dict()
    {'p1': 0.1, 'p2': nan}
    """
    for definition in definitions:
        check_parameters(definition, _PARAMETERS, _PARAMETERS)
    values = np.full((len(cohort.patient_ids), len(definitions)), np.nan)
    places: dict[tuple[str, str], list[int]] = {}
    for place, definition in enumerate(definitions):
        layer, unit = (str(definition.parameters[key]) for key in ("layer", "unit"))
        places.setdefault((layer, unit), []).append(place)
    for (name, unit), columns in places.items():
        if name in cohort.layers:
            _require_unit(cohort, name, unit)
            rows = [str(definitions[place].parameters["row"]) for place in columns]
            _fill(values, columns, cohort, name, rows, ranked=unit in RANKED_UNITS)
    return pd.DataFrame(values, index=cohort.patient_ids, columns=[definition.name for definition in definitions])


def _require_unit(cohort: Cohort, name: str, unit: str) -> None:
    """Refuse a layer in another unit; of ranks, one that does not compare the rows of a sample."""
    found = str(cohort.metadata.get("layers", {}).get(name, {}).get("unit"))
    if found == unit or (found in RANKED_UNITS and unit in RANKED_UNITS):
        return
    raise InputError(
        f"the layer {name} is in another unit than the features were made for: {found}",
        column=f"layers.{name}",
        expected=" or ".join(RANKED_UNITS) if unit in RANKED_UNITS else unit,
        fix="import the cohort with the layer in that unit, or without the layer",
    )


def _fill(values: np.ndarray, columns: list[int], cohort: Cohort, name: str, rows: list[str], *, ranked: bool) -> None:
    """Write the rows of a layer to their columns."""
    layer, chosen = cohort.layers[name], cohort.assayed_samples(layer_assay(name))
    chosen = chosen[chosen.isin(layer.columns)]
    patients, found = cohort.patient_ids.get_indexer(chosen.index), layer.index.get_indexer(pd.Index(rows, dtype="str"))
    known = found >= 0
    targets, sources = np.array(columns)[known], found[known]
    for first in range(0, len(chosen), _SAMPLES_AT_A_TIME):
        part = slice(first, first + _SAMPLES_AT_A_TIME)
        block = layer[chosen.iloc[part].tolist()].to_numpy(dtype=np.float64).T
        if ranked:
            measured = (~np.isnan(block)).sum(axis=1, keepdims=True)
            block = (_within_sample_ranks(np.ascontiguousarray(block)) - 0.5) / np.maximum(measured, 1)
        values[np.ix_(patients[part], targets)] = block[:, sources]
