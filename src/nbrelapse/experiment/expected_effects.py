"""What an experiment's models expect before they see its patients."""

from __future__ import annotations

from nbrelapse.errors import InputError
from nbrelapse.experiment.config import ExperimentConfig
from nbrelapse.experiment.prepare import PreparedData
from nbrelapse.mechanisms.prior_knowledge import PriorKnowledge
from nbrelapse.models.prior_of_model import prior_of_model
from nbrelapse.outcome.fingerprint import outcome_fingerprint
from nbrelapse.scoring import load_model


def expected_effects(config: ExperimentConfig, data: PreparedData) -> PriorKnowledge:
    """Return the effects that the experiment's saved model found, or those of the literature.

    Parameters
    ----------
    config : ExperimentConfig
    data : PreparedData

    Returns
    -------
    PriorKnowledge

    Raises
    ------
    InputError
        The saved model cannot be loaded, is of another endpoint, is not linear, or was trained on these very patients.
    """
    if config.prior_model is None:
        return PriorKnowledge.of_catalogue(data.table.catalogue, data.columns, config.endpoint)
    bundle = load_model(config.prior_model)
    if bundle.endpoint != config.endpoint:
        raise InputError(
            f"the saved model is of the endpoint {bundle.endpoint!r}",
            file=config.prior_model,
            column="prior_model",
            expected=f"a model of {config.endpoint!r}",
        )
    if bundle.training.get("outcome_fingerprint") == outcome_fingerprint(data.training):
        raise InputError(
            "the saved model was trained on the patients of this experiment: they would count twice",
            file=config.prior_model,
            column="prior_model",
            mend="name a model of other patients, or leave prior_model out",
        )
    return prior_of_model(bundle.model)
