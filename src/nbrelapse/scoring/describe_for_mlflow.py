"""The files that tell MLflow how to load and install a saved model."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from nbrelapse import __version__
from nbrelapse.scoring.format import DESCRIPTION, LOADER_MODULE
from nbrelapse.scoring.score_columns import TEXT_COLUMNS

_REQUIREMENTS = (
    "bioframe",
    "mlflow",
    "numpy",
    "pandas",
    "scikit-learn",
    "scikit-survival",
    "xgboost",
    "xgboost-cpu",
)


def describe_for_mlflow(features: Sequence[str], columns: Sequence[str], begun: Mapping[str, Any]) -> dict[str, str]:
    """Text of the files beside ``data/``: ``MLmodel``, ``requirements.txt`` and ``python_env.yaml``.

    They are written without MLflow, so that the same model gives the same bytes.

    Parameters
    ----------
    features : sequence of str
        What the model reads: doubles, all optional (a missing one is NaN, not assayed).
    columns : sequence of str
        What it returns.
    begun : dict
        What MLflow has said already of a model that is being logged: ``model_id``, ``run_id`` and so on. Empty
        otherwise.

    Returns
    -------
    dict of str to str
        By file name.
    """
    import yaml

    python = platform.python_version()
    inputs = [{"type": "double", "name": name, "required": False} for name in features]
    outputs = [
        {"type": "string" if name in TEXT_COLUMNS else "double", "name": name, "required": True} for name in columns
    ]
    description = {
        **begun,
        "flavors": {
            "python_function": {
                "data": "data",
                "env": {"virtualenv": "python_env.yaml"},
                "loader_module": LOADER_MODULE,
                "python_version": python,
                "streamable": False,
            }
        },
        "mlflow_version": version("mlflow"),
        "signature": {"inputs": json.dumps(inputs), "outputs": json.dumps(outputs), "params": None},
    }
    environment = {"python": python, "build_dependencies": ["pip"], "dependencies": ["-r requirements.txt"]}
    return {
        DESCRIPTION: yaml.safe_dump(description),
        "requirements.txt": "\n".join([f"nbrelapse=={__version__}", *_installed()]) + "\n",
        "python_env.yaml": yaml.safe_dump(environment, sort_keys=False),
    }


def _installed() -> list[str]:
    found = []
    for name in _REQUIREMENTS:
        try:
            found.append(f"{name}=={version(name)}")
        except PackageNotFoundError:
            continue
    return found
