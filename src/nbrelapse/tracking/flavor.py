"""Our model flavour, as MLflow's ``Model.log`` calls it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow.models import Model


def save_model(path: str, mlflow_model: Model, save: Callable[[str, Model], object]) -> None:
    """Save a model where MLflow asks for it."""
    save(path, mlflow_model)
