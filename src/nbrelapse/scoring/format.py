"""The files of a saved model: names, versions, checksums."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

FORMAT_VERSION = 1
LOADER_MODULE = "nbrelapse.scoring.pyfunc"
DESCRIPTION = "MLmodel"
CARD = "README.md"
MANIFEST = "data/manifest.json"
REFITS = "data/refits.zip"
MLFLOW_FILES = frozenset({"registered_model_meta"})
"""Files that MLflow adds when it downloads a model; they are not read."""


def sha256(file: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def to_json(document: Any) -> str:
    """Write plain data as JSON: the same text for the same data, floats to the last bit.

    Raises
    ------
    ValueError
        A number is NaN or infinite.
    """
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def sealed(manifest: dict[str, Any]) -> str:
    """Text of a manifest, with the checksum of its own content in front.

    Examples
    --------
    >>> text = sealed({"endpoint": "efs"})
    >>> sealed(json.loads(text)) == text
    True
    """
    content = {key: value for key, value in manifest.items() if key != "sha256"}
    digest = hashlib.sha256(to_json(content).encode()).hexdigest()
    return to_json({"sha256": digest, **content})
