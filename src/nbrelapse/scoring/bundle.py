"""A trained model with all that is needed to score patients and to know when not to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.mechanisms import Catalogue
from nbrelapse.models.risk_model import RiskModel
from nbrelapse.models.survival_model import SurvivalModel
from nbrelapse.scoring.score_columns import score_columns

QUANTILES = np.linspace(0.0, 1.0, 1001)


@dataclass(frozen=True)
class Bundle:
    """A trained model, ready to be saved, loaded and scored with.

    Parameters
    ----------
    endpoint : {"relapse", "efs", "os", "refractory"}
    model : RiskModel
        Fitted.
    refits : sequence of RiskModel
        Bootstrap refits, for intervals.
    references : dict of str to RiskModel
        The fitted clinical baselines, for external validation.
    catalogue : Catalogue
        The entries that the model and the references read, as they were when the training features were built: a
        later catalogue cannot change what the model reads.
    gene_sets : dict of str to list of str
        The user's gene sets that features are built from.
    schema : DataFrame
        Index: the model's features. ``mechanism``, ``title``, ``assay``; ``low`` and ``high``, the training range;
        ``observed``, the share of training patients with a value; ``importance``, the mean absolute contribution
        to the log risk in training.
    log_risk_quantiles : ndarray of shape (1001,)
        Of the training patients, at 0, 0.1, …, 100 %.
    training : dict
        Summary of the training patients: counts, events, follow-up. JSON types only, no identifiers.
    card : str
        The model card, Markdown.
    """

    endpoint: str
    model: RiskModel
    refits: tuple[RiskModel, ...]
    references: Mapping[str, RiskModel]
    catalogue: Catalogue
    gene_sets: Mapping[str, list[str]]
    schema: pd.DataFrame
    log_risk_quantiles: np.ndarray
    training: Mapping[str, Any] = field(default_factory=dict)
    card: str = ""

    @property
    def landmark_days(self) -> float:
        """Days from diagnosis that horizons count from: the model is of patients event-free then. 0: of all."""
        return float(self.training.get("landmark_days", 0.0))

    @property
    def followed_days(self) -> float | None:
        """Longest follow-up in training; None for a binary endpoint, which knows no time."""
        return self.model.baseline_.last_time if isinstance(self.model, SurvivalModel) else None

    @property
    def score_columns(self) -> list[str]:
        """Names of the columns of a score, ``patient_id`` aside."""
        return score_columns(self.mechanisms, None if isinstance(self.model, SurvivalModel) else self.endpoint)

    @property
    def mechanisms(self) -> list[str]:
        """Mechanisms that the model reads, in the catalogue's order."""
        read = set(self.schema["mechanism"])
        return [name for name in self.catalogue.mechanisms if name in read]


def make_bundle(
    endpoint: str,
    model: RiskModel,
    X: pd.DataFrame,
    *,
    refits: tuple[RiskModel, ...],
    references: Mapping[str, RiskModel],
    catalogue: Catalogue,
    gene_sets: Mapping[str, list[str]],
    training: Mapping[str, Any],
    card: str = "",
) -> Bundle:
    """Describe a fitted model's training patients and bundle it.

    Parameters
    ----------
    endpoint : str
    model : RiskModel
        Fitted on ``X``.
    X : DataFrame of shape (n_patients, n_features)
        The training features.
    refits, references, catalogue, gene_sets, training, card
        As in :class:`Bundle`; of the catalogue and the gene sets only what is read is kept.

    Returns
    -------
    Bundle
    """
    names = [str(name) for name in model.feature_names_in_]
    definitions = [catalogue.features[name] for name in names]
    values = X[names]
    schema = pd.DataFrame(
        {
            "mechanism": [definition.mechanism for definition in definitions],
            "title": [definition.title for definition in definitions],
            "assay": [definition.assay for definition in definitions],
            "low": values.min().to_numpy(),
            "high": values.max().to_numpy(),
            "observed": values.notna().mean().to_numpy(),
            "importance": model.attribute(X).values.abs().mean().to_numpy(),
        },
        index=pd.Index(names, name="feature"),
    )
    read = [*names, *(str(name) for reference in references.values() for name in reference.feature_names_in_)]
    kept = catalogue.subset(read)
    return Bundle(
        endpoint=endpoint,
        model=model,
        refits=refits,
        references=references,
        catalogue=kept,
        gene_sets=_sets_read(kept, gene_sets),
        schema=schema,
        log_risk_quantiles=np.quantile(model.predict_log_risk(X), QUANTILES),
        training=training,
        card=card,
    )


def _sets_read(catalogue: Catalogue, gene_sets: Mapping[str, list[str]]) -> dict[str, list[str]]:
    parameters = [definition.parameters for definition in catalogue.features.values()]
    read = {entry.get(key) for entry in parameters for key in ("gene_set", "gene_set_down")}
    return {name: list(genes) for name, genes in gene_sets.items() if name in read}
