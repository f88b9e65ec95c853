"""Record the evaluation of a saved model on another cohort, as a run beside the models of its experiment."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from nbrelapse.tracking._trouble import _told
from nbrelapse.tracking.log import (
    DatasetRecord,
    _log_datasets,
    _log_values,
    _metrics,
    _run,
    _source,
    _write_artifacts,
)
from nbrelapse.tracking.names import (
    _EVALUATION,
    _KIND_TAG,
    _MODEL_TAG,
    _NOTE_TAG,
    BUNDLE_TAG,
    MODEL_ID_TAG,
    REGISTERED_TAG,
)
from nbrelapse.tracking.read import ModelAddress
from nbrelapse.tracking.registry import registered_models
from nbrelapse.tracking.store import _experiment_id, _undoing, open_store

if TYPE_CHECKING:
    from nbrelapse.report.render import Picture


@dataclass(frozen=True)
class EvaluationRecord:
    """What is kept of the evaluation of a saved model.

    Parameters
    ----------
    experiment, name : str
        Of the run.
    description : str
        Markdown.
    dataset : DatasetRecord
        The patients judged.
    parameters, tags : dict of str to str
        ``family`` is among the parameters.
    metrics : dict of str to float
        Named as those of models; no NaN.
    tables, pictures, documents, report
        As in :class:`ExperimentRecord`; without patient identifiers.
    address : ModelAddress or None
        Of the model, where the store has it.
    """

    experiment: str
    name: str
    description: str
    dataset: DatasetRecord
    parameters: Mapping[str, str]
    tags: Mapping[str, str]
    metrics: Mapping[str, float]
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    pictures: Mapping[str, Picture] = field(default_factory=dict)
    documents: Mapping[str, str] = field(default_factory=dict)
    report: Path | None = None
    address: ModelAddress | None = None


@dataclass(frozen=True)
class RecordedEvaluation:
    """Where an evaluation was recorded.

    Parameters
    ----------
    experiment, run_id : str
    """

    experiment: str
    run_id: str


def record_evaluation(record: EvaluationRecord) -> RecordedEvaluation:
    """Record an evaluation; nothing is left of it where that fails.

    Parameters
    ----------
    record : EvaluationRecord

    Returns
    -------
    RecordedEvaluation

    Raises
    ------
    InputError
        The store does not take it.
    """
    client = open_store()
    model_id = None if record.address is None else record.address.model_id
    with _told(client.tracking_uri, "the evaluation cannot be recorded"):
        experiment = _experiment_id(client, record.experiment)
        tags = {**_source(record.tags), **record.tags, **_links(record), _KIND_TAG: _EVALUATION}
        tags |= {_NOTE_TAG: record.description}
        with _undoing() as undo, _run(client, experiment, record.name, tags, None) as run:
            undo(client.delete_run, run.info.run_id)
            _log_values(client, run, record.parameters, _metrics(record.metrics, (record.dataset,), model_id))
            _log_datasets(client, run, (record.dataset,), record.tags, model_id)
            with tempfile.TemporaryDirectory() as folder:
                _write_artifacts(Path(folder), record.tables, record.pictures, record.documents, record.report)
                client.log_artifacts(run.info.run_id, folder)
    return RecordedEvaluation(record.experiment, run.info.run_id)


def _links(record: EvaluationRecord) -> dict[str, str]:
    """Return tags that lead to the model: its family, the logged model and the versions that hold the same."""
    found = {_MODEL_TAG: record.parameters["family"]}
    if record.address is not None and record.address.model_id is not None:
        found[MODEL_ID_TAG] = record.address.model_id
    fingerprint = record.tags.get(BUNDLE_TAG)
    same = [
        f"{one.name}/{one.version}" for one in registered_models() if fingerprint and one.fingerprint == fingerprint
    ]
    named = None if record.address is None else record.address.registered
    registered = dict.fromkeys([*([] if named is None else [named]), *same])
    return found | ({REGISTERED_TAG: ", ".join(registered)} if registered else {})
