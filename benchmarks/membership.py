"""Whether a saved model tells who trained it, to somebody who has a patient's values: AUC of four ways to ask.

A model keeps of each feature moments, bins, range and factor loadings of its training patients (decision 054). Training
patients and as many new ones of the same population are held against that: how near they lie to the training patients,
how many of their values are a bin's end to the last digit, how many are the end of a range, and how many lie outside
the ranges. 0.5: nothing can be told; 1: everybody is recognised. Simulated features with ten common factors, 100 and
6,000 of 200 patients, and 6,490 of SEQC as ranks within the sample. What is kept is printed, no goal is set.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from _document import SEQC_LAYERS, DataAbsentError, data_folder, main
from nbrelapse.scoring._profile import _Profile, _rounded

PATIENTS = 200
SEQC_FILES = ("expression_log2_2000_genes.tsv.gz", *(str(SEQC_LAYERS[name]["file"]) for name in SEQC_LAYERS))[:3]


def simulated(features: int) -> np.ndarray:
    """Return values of twice as many patients as train, with ten common factors."""
    random = np.random.default_rng(0)
    loadings = random.normal(size=(10, features)) * np.linspace(1, 0.2, 10)[:, None]
    factors = random.normal(size=(2 * PATIENTS, 10))
    return np.asarray(factors @ loadings + random.normal(size=(2 * PATIENTS, features)))


def seqc() -> np.ndarray:
    """Return SEQC's genes, transcripts and junctions as ranks within the sample, as features have them."""
    folder = data_folder("seqc")
    tables = [pd.read_csv(folder / name, sep="\t", index_col=0).select_dtypes("number").T for name in SEQC_FILES]
    values = pd.concat([table.rank(axis=1, pct=True) for table in tables], axis=1, join="inner").to_numpy()
    return np.asarray(values[np.random.default_rng(0).permutation(len(values))][: 2 * PATIENTS, values.std(axis=0) > 0])


def told(values: np.ndarray) -> dict[str, float]:
    """Return the AUC of each way to ask; the first half of the patients trained."""
    training = values[: len(values) // 2]
    profile = _Profile.of(training)
    assert profile.neighbourhood is not None
    ends = zip(values.T, profile.distributions.edges, strict=True)
    met = np.sum([np.isin(_rounded(column), edges) for column, edges in ends if len(edges) > 1], axis=0)
    low, high = training.min(axis=0), training.max(axis=0)
    statistics = {
        "distance": -profile.neighbourhood.distances(values),
        "bins' ends": met,
        "ranges' ends": ((values == low) | (values == high)).sum(axis=1),
        "outside the ranges": -((values < low) | (values > high)).sum(axis=1),
    }
    trained = np.arange(len(values)) < len(training)
    return {name: float(roc_auc_score(trained, statistic)) for name, statistic in statistics.items()}


def measure() -> list[dict[str, object]]:
    """Ask each of the cohorts; SEQC where it is on this machine."""
    cohorts = {f"{number} simulated features": simulated(number) for number in (100, 6000)}
    try:
        values = seqc()
        cohorts[f"SEQC, {values.shape[1]} features"] = values
    except DataAbsentError as absent:
        print(f"SEQC is left out: {absent}")
    return [
        {"name": f"{cohort}: {name}", "value": value}
        for cohort, values in cohorts.items()
        for name, value in told(values).items()
    ]


if __name__ == "__main__":
    main("membership", measure)
