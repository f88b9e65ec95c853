"""Score the patients of a cohort with a saved model."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from nbrelapse.cohort import Cohort
from nbrelapse.errors import InputError
from nbrelapse.mechanisms import build_features
from nbrelapse.scoring.bundle import Bundle
from nbrelapse.scoring.load_model import load_model
from nbrelapse.scoring.score_features import relied_on, score_features

GENE_RATIO = 1.5
"""Expression features are ranks among the genes measured; beyond this ratio of their number to training's a warning
goes with the score. A choice of caution, not an estimate."""

OTHER_GENES = "expression was measured on another selection of genes than in training: its ranks are not comparable"


def score(model: Bundle | str | Path, cohort: Cohort, *, allow_missing_assays: bool = False) -> pd.DataFrame:
    """Score the patients of a cohort.

    Parameters
    ----------
    model : Bundle, or folder or MLflow URI of one
    cohort : Cohort
    allow_missing_assays : bool
        Score although nobody in the cohort has an assay that the model reads.

    Returns
    -------
    DataFrame
        A row a patient, ``patient_id`` first, then the columns of
        :func:`nbrelapse.scoring.score_features.score_features`. A warning is added where expression was measured on far
        more or fewer genes than in training.

    Raises
    ------
    InputError
        Nobody in the cohort has an assay that the model reads, and ``allow_missing_assays`` is False.
    BundleError
        The model cannot be trusted; see :func:`load_model`.
    """
    bundle = model if isinstance(model, Bundle) else load_model(model)
    values = build_features(cohort, bundle.catalogue, bundle.gene_sets).values[list(bundle.schema.index)]
    if not allow_missing_assays:
        require_assays(bundle, values)
    scores = score_features(bundle, values)
    ranked = cohort.patient_ids.isin(cohort.assayed_samples("expression").index)
    if ranked.any() and other_genes(bundle, cohort):
        text = scores["warnings"].to_numpy(dtype=object)[ranked]
        scores.loc[ranked, "warnings"] = [f"{before}; {OTHER_GENES}" if before else OTHER_GENES for before in text]
    return scores.rename_axis("patient_id").reset_index()


def other_genes(bundle: Bundle, cohort: Cohort) -> bool:
    """Say whether ranks within a sample mean something else than in training.

    Parameters
    ----------
    bundle : Bundle
    cohort : Cohort

    Returns
    -------
    bool
        Far more genes were measured, or far fewer, and the model relies on expression.
    """
    trained_on = bundle.training.get("expression_genes")
    if not trained_on or cohort.expression is None or "expression" not in relied_on(bundle):
        return False
    return not 1 / GENE_RATIO <= len(cohort.expression) / trained_on <= GENE_RATIO


def require_assays(bundle: Bundle, values: pd.DataFrame) -> None:
    """Refuse a cohort in which nobody has an assay that the model relies on.

    Parameters
    ----------
    bundle : Bundle
    values : DataFrame of shape (n_patients, n_features)
        The model's features.

    Raises
    ------
    InputError
        An assay is missing altogether.
    """
    known = values[list(bundle.schema.index)].notna().to_numpy()
    assays = relied_on(bundle)
    lacking = [assay for assay, features in assays.items() if not known[:, features].any()]
    if lacking:
        raise InputError(
            f"the cohort lacks what the model reads: nobody has {', '.join(lacking)}",
            expected=", ".join(assays),
            mend="import these assays, or allow missing assays (--allow-missing-assays) and read the warnings",
        )
