"""What is certain about a raw mutation table."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nbrelapse.cohort.distinct_values import encode, map_distinct
from nbrelapse.cohort.vocabulary import variant_classes

POSITIONS = 2**32


def repair_mutations(mutations: pd.DataFrame, repairs: list[str]) -> pd.DataFrame:
    """Remove mutations that are there twice and spell ``Variant_Classification`` as the MAF format does.

    Rows repeat each other where all columns agree and the position is known. Classes that the format does not have stay
    as they are.

    Parameters
    ----------
    mutations : DataFrame
        Normalised.
    repairs : list of str
        What was changed, and the unknown classes, are appended.

    Returns
    -------
    DataFrame
        The same columns; the index still tells the rows of the file.

    Examples
    --------
    >>> repairs = []
    >>> mutations = pd.DataFrame({"sample_id": "s", "Start_Position": [7577538.0, 7577538.0],
    ...     "Variant_Classification": ["missense_mutation", "Missense_Mutation"]})
    >>> len(repair_mutations(mutations, repairs)), repairs[1]
    (1, 'mutations: 1 rows that repeat another removed')
    """
    mutations = mutations.assign(Variant_Classification=_spell_classes(mutations["Variant_Classification"], repairs))
    twice = _repeated(mutations)
    if twice.any():
        repairs.append(f"mutations: {int(twice.sum())} rows that repeat another removed")
        mutations = mutations[~twice]
    return mutations


def _repeated(mutations: pd.DataFrame) -> np.ndarray:
    position = mutations["Start_Position"].to_numpy()
    place = encode(mutations["sample_id"])[0].astype(np.int64) * POSITIONS + np.nan_to_num(position).clip(
        0, POSITIONS - 1
    )
    # Few rows share sample and position; only those are compared in full.
    shared = pd.Series(place).duplicated(keep=False).to_numpy() & ~np.isnan(position)
    repeated = np.zeros(len(mutations), dtype=bool)
    repeated[shared] = mutations[shared].duplicated().to_numpy()
    return repeated


def _spell_classes(classes: pd.Series, repairs: list[str]) -> pd.Series:
    own = {name.lower(): name for name in variant_classes()}
    ready = map_distinct(classes, lambda words: words.str.lower().map(own).astype("str").fillna(words))
    codes, distinct = encode(classes)
    counts = np.bincount(codes[codes >= 0], minlength=len(distinct))
    for number, word in enumerate(distinct):
        right = own.get(word.lower())
        if right is None:
            repairs.append(
                f"mutations.Variant_Classification: '{word}' is no class of the MAF format ({counts[number]})"
            )
        elif right != word:
            repairs.append(f"mutations.Variant_Classification: '{word}' read as '{right}' ({counts[number]})")
    if any(word.lower() not in own for word in distinct):
        repairs.append("mutations.Variant_Classification: legal are " + ", ".join(variant_classes()))
    return ready
