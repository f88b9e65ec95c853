"""The files of a saved model: names, versions, checksums."""

from __future__ import annotations

import hashlib
from pathlib import Path

FORMAT_VERSION = 1
LOADER_MODULE = "nbrelapse.scoring.pyfunc"
MANIFEST = "manifest.json"
REFITS = "refits"
MLFLOW_FILES = frozenset({"MLmodel", "requirements.txt", "registered_model_meta"})
"""Files that may stand beside ``data/``; MLflow adds the last when it downloads a registered model."""


def sha256(file: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
