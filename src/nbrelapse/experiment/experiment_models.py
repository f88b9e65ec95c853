"""The models of an experiment, before they see a patient."""

from __future__ import annotations

from nbrelapse.experiment.config import ExperimentConfig
from nbrelapse.experiment.expected_effects import expected_effects
from nbrelapse.experiment.prepare import PreparedData
from nbrelapse.models.families import FAMILIES, clinical_baselines, create_model
from nbrelapse.models.risk_model import RiskModel


def experiment_models(config: ExperimentConfig, data: PreparedData) -> tuple[dict[str, RiskModel], list[str]]:
    """Return the unfitted models to compare, the clinical baselines first, and which of these are unavailable.

    Parameters
    ----------
    config : ExperimentConfig
    data : PreparedData

    Returns
    -------
    models : dict of str to RiskModel
        By name; families that cannot weigh single genes are not given any.
    notes : list of str

    Raises
    ------
    InputError
        The saved model that the experiment starts from cannot be used, see :func:`expected_effects`.
    """
    catalogue = data.table.catalogue
    directions = {name: catalogue.features[name].direction_for(config.endpoint) for name in data.columns}
    values = data.features(data.training)
    prior = expected_effects(config, data)
    models: dict[str, RiskModel] = {}
    notes = []
    binary = not data.training.is_survival
    for name in clinical_baselines(binary=binary):
        baseline = create_model(name, binary=binary)
        if baseline.available(values):
            models[name] = baseline
        else:
            notes.append(f"{name} is not available: the training patients do not tell its groups apart")
    without_genes = [name for name in data.columns if catalogue.features[name].role != "gene"]
    for name in config.models:
        columns = data.columns if FAMILIES[name].reads_genes else without_genes
        models[name] = create_model(
            name, columns=columns, directions=directions, prior=prior, seed=config.seed, binary=binary
        )
        if "not_assayed" in models[name].get_params(deep=False):
            models[name].set_params(not_assayed=config.features.not_assayed)
    return models, notes
