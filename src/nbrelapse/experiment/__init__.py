"""From an experiment file to a validated, tracked, explained model."""

from nbrelapse.experiment.config import ExperimentConfig, parse_config, read_config
from nbrelapse.experiment.publish import publish
from nbrelapse.experiment.run import ExperimentResult, run_experiment

__all__ = ["ExperimentConfig", "ExperimentResult", "parse_config", "publish", "read_config", "run_experiment"]
