"""What is kept of the evaluation of a saved model: a folder of tables with a page, and a run in MLflow."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.cohort.files import check_writable, write_beside
from nbrelapse.errors import InputError
from nbrelapse.metrics.table import population_title
from nbrelapse.report.evaluation_report import EvaluationContent, evaluation_figures, write_evaluation_report
from nbrelapse.report.render import draw_figures
from nbrelapse.report.wording import model_title
from nbrelapse.scoring.bundle import Bundle
from nbrelapse.scoring.evaluate import ExternalEvaluation
from nbrelapse.scoring.scores import _caution
from nbrelapse.scoring.training_summary import TrainingSummary
from nbrelapse.tracking.evaluation import EvaluationRecord, RecordedEvaluation, record_evaluation
from nbrelapse.tracking.figures import headline_figures, rounded_figures
from nbrelapse.tracking.log import DatasetRecord
from nbrelapse.tracking.names import BUNDLE_TAG, ENDPOINT_TAG, PAIRED_FILE, WITHHELD_TAG
from nbrelapse.tracking.read import ModelAddress

_PAGE = "evaluation.html"
_TABLES = (
    "metrics",
    "differences",
    "net_benefit",
    "net_benefit_differences",
    "tertile_calibration",
    "reclassification",
    "reclassification_improvement",
    "event_free_time",
    "case_mix",
    "case_mix_figures",
)


def check_evaluation_folder(folder: str | Path) -> Path:
    """Return the folder of an evaluation, before the work is done.

    Raises
    ------
    InputError
        It holds something else, is a file, or cannot be written.
    """
    target = Path(folder)
    if target.exists() and not target.is_dir():
        raise InputError("an evaluation is a folder, this is a file", file=target, fix="name another")
    own = {_PAGE, *(f"{name}.csv" for name in _TABLES)}
    foreign = sorted(path.name for path in target.iterdir() if path.name not in own) if target.exists() else []
    if foreign:
        raise InputError(
            f"what is there is not an evaluation, it holds {foreign[0]!r}; it is not replaced",
            file=target,
            fix="name a new folder",
        )
    check_writable(target, "the evaluation", "name another folder", replaced=True)
    return target


def write_evaluation(found: ExternalEvaluation, bundle: Bundle, cohort: Cohort, folder: str | Path) -> Path:
    """Write an evaluation's tables as CSV and its page, ``evaluation.html``; the folder appears whole or not at all.

    Parameters
    ----------
    found : ExternalEvaluation
        Of the bundle in the cohort.
    bundle : Bundle
    cohort : Cohort
    folder : path
        An evaluation that is there is replaced.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        The folder holds something else, or cannot be written.
    """
    target = check_evaluation_folder(folder)
    try:
        with write_beside(target) as beside:
            beside.mkdir()
            for name, table in _tables(found).items():
                table.to_csv(beside / f"{name}.csv", index=False, lineterminator="\n")
            write_evaluation_report(_content(found, bundle, cohort), beside / _PAGE)
    except OSError as error:
        raise InputError(f"the evaluation cannot be written: {error.strerror}", file=target) from None
    return target


def _tables(found: ExternalEvaluation) -> dict[str, pd.DataFrame]:
    tables = {"metrics": found.metrics, "differences": found.differences}
    tables |= {} if found.utility is None else found.utility.tables()
    return tables | ({} if found.case_mix is None else found.case_mix.tables())


def _content(found: ExternalEvaluation, bundle: Bundle, cohort: Cohort) -> EvaluationContent:
    return EvaluationContent(
        title=_title(found, cohort),
        created=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        endpoint=bundle.endpoint,
        model=found.model,
        evaluation=replace(found, utility=None) if found.withheld else found,
        verdicts=[found.verdict(population) for population in found.populations],
        summary=found.summary(),
        facts=_facts(found, bundle, cohort),
        case_mix={} if found.case_mix is None else found.case_mix.tables(),
        mechanisms={name: bundle.catalogue.mechanisms[name].title for name in bundle.mechanisms},
        caution=_caution(bundle),
    )


def _title(found: ExternalEvaluation, cohort: Cohort) -> str:
    return f"{model_title(found.model)} in {cohort.name}"


def _facts(found: ExternalEvaluation, bundle: Bundle, cohort: Cohort) -> dict[str, str | int]:
    training = bundle.training
    facts = {
        "Model": model_title(found.model),
        "Trained on": f"{training.cohort or 'not recorded'}{' (simulated)' if training.of_simulated else ''}",
        "Training patients": training.patients,
        "Judged on": cohort.name,
        "Patients judged": f"{found.judged:,} of {found.recorded:,} with an outcome",
        "Events among them": found.events,
    }
    return {label: fact for label, fact in facts.items() if fact is not None}


def log_evaluation(
    found: ExternalEvaluation,
    bundle: Bundle,
    cohort: Cohort,
    *,
    address: ModelAddress | None = None,
    experiment: str | None = None,
) -> RecordedEvaluation:
    """Record an evaluation as a run of its own in MLflow; no patient identifier goes there.

    Parameters
    ----------
    found : ExternalEvaluation
        Of the bundle in the cohort.
    bundle : Bundle
        As it was loaded: by what it holds, versions in the registry are told to be the same model.
    cohort : Cohort
    address : ModelAddress, optional
        Where the store has the model, see :func:`nbrelapse.tracking.model_address`.
    experiment : str, optional
        Of MLflow; by default the one that the model was trained in.

    Returns
    -------
    RecordedEvaluation

    Raises
    ------
    InputError
        The store does not take the run; nothing is left of it.
    """
    content = _content(found, bundle, cohort)
    tags = {ENDPOINT_TAG: bundle.endpoint, **({WITHHELD_TAG: found.withheld} if found.withheld else {})}
    tags |= {} if bundle.fingerprint is None else {BUNDLE_TAG: bundle.fingerprint}
    with tempfile.TemporaryDirectory() as folder:
        record = EvaluationRecord(
            experiment=experiment or home_experiment(bundle.training),
            name=content.title,
            description=_note(found),
            dataset=DatasetRecord(
                cohort.name, found.data, found.judged, found.events, tuple(map(str, bundle.schema.index)), "evaluation"
            ),
            parameters={"endpoint": bundle.endpoint, "family": bundle.model.family, "cohort.name": cohort.name}
            | ({} if cohort.where is None else {"cohort.where": cohort.where}),
            tags=tags,
            metrics=rounded_figures(headline_figures(found, found.model)),
            tables=_tables(found),
            pictures=draw_figures(evaluation_figures(content)),
            documents={PAIRED_FILE: json.dumps([one.to_dict() for one in found.paired], allow_nan=False)},
            report=write_evaluation_report(content, Path(folder) / _PAGE),
            address=address,
        )
        return record_evaluation(record)


def home_experiment(training: TrainingSummary) -> str:
    """Return the experiment of MLflow that a model belongs to: the one that it was trained in.

    Examples
    --------
    >>> home_experiment(TrainingSummary(experiment="seqc_relapse")), home_experiment(TrainingSummary())
    ('seqc_relapse', 'saved models')
    """
    return training.experiment or "saved models"


def _note(found: ExternalEvaluation) -> str:
    said = {population: found.verdict(population) for population in found.populations}
    told = [f"**{population_title(name)}: {one.headline}.** {one.sentence}" for name, one in said.items()]
    notes = "\n".join(f"- {note}" for note in found.notes)
    return "\n\n".join([*told, *found.summary(), *([notes] if notes else [])])
