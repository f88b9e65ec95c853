from .config import ExperimentConfig as ExperimentConfig, parse_config as parse_config, read_config as read_config
from .null_check import NullCheck as NullCheck, TOLERATED as TOLERATED, null_check as null_check
from .publish import Published as Published, publish as publish
from .run import ExperimentResult as ExperimentResult, run_experiment as run_experiment
