"""``nbrelapse evaluate``, ``explain``, ``score``, ``export`` and ``verify``: use a saved model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from nbrelapse.cli.data import Executor, Jobs, Where, block_by_block, executing_on, open_patients, read_patients
from nbrelapse.cli.help import say_next
from nbrelapse.cli.results import case_mix_document, evaluation_document

if TYPE_CHECKING:
    import pandas as pd

    from nbrelapse.cohort.blocks import CohortBlock, StoredCohort
    from nbrelapse.cohort.cohort import Cohort
    from nbrelapse.cohort.rows import Rows
    from nbrelapse.explanation.stability import Stability
    from nbrelapse.scoring.bundle import Bundle
    from nbrelapse.scoring.evaluate import ExternalEvaluation
    from nbrelapse.scoring.explain import ExplainedCohort
    from nbrelapse.scoring.scores import ScoredBlock
    from nbrelapse.tracking.evaluation import RecordedEvaluation

Trust = Annotated[
    Path | None,
    typer.Option(help="Keyring: only a model that one of its keys signed is used; a line a key, as in .pub files."),
]
Sign = Annotated[
    Path | None,
    typer.Option(help="Sign with this Ed25519 private key; ssh-keygen -t ed25519 -N '' -f FILE makes one."),
]


def evaluate(
    model: Annotated[str, typer.Argument(help="A model folder, or an MLflow URI (models:/…, runs:/…).")],
    cohort: Annotated[Path, typer.Argument(help="The cohort folder; none of its patients may have trained the model.")],
    where: Where = None,
    out: Annotated[Path | None, typer.Option(help="Folder for all tables (CSV) and the page, evaluation.html.")] = None,
    bootstrap: Annotated[int, typer.Option(min=100, help="Bootstrap resamples behind the intervals.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of the resamples.")] = 0,
    interval: Annotated[Literal["percentile", "bca"], typer.Option(help="Kind of the 95% intervals.")] = "percentile",
    allow_missing_assays: Annotated[
        bool, typer.Option(help="Evaluate although nobody has an assay that the model reads.")
    ] = False,
    training_cohort: Annotated[
        Path | None, typer.Option(help="The cohort folder that the model was trained on: does it share patients?")
    ] = None,
    allow_overlap: Annotated[
        bool,
        typer.Option("--allow-overlap", help="Give a verdict although training patients seem to be among these."),
    ] = False,
    trust: Trust = None,
    log: Annotated[
        bool | None,
        typer.Option("--log/--no-log", help="Record it in MLflow; by default where there is a store already."),
    ] = None,
    experiment: Annotated[
        str | None, typer.Option(help="Of MLflow, to record it in; by default that of the model.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document, with all tables.")] = False,
) -> None:
    """Judge a saved model on the patients of another cohort who have a score, beside the clinical baselines."""
    import json

    from nbrelapse.mechanisms.feature_table import later_columns
    from nbrelapse.scoring.evaluate import evaluate_bundle
    from nbrelapse.scoring.evaluation_output import check_evaluation_folder, write_evaluation
    from nbrelapse.scoring.reading import load_model

    logs = _logs(log, experiment)
    if out is not None:
        check_evaluation_folder(out)
    bundle = load_model(model, trust=trust)
    patients = read_patients(cohort, where, barred=later_columns(bundle.endpoint, bundle.landmark_days))
    found = evaluate_bundle(
        bundle,
        patients,
        n_bootstrap=bootstrap,
        seed=seed,
        interval=interval,
        allow_missing_assays=allow_missing_assays,
        training_cohort=None if training_cohort is None else read_patients(training_cohort, None),
        allow_overlap=allow_overlap,
    )
    folder = None if out is None else write_evaluation(found, bundle, patients, out)
    run = _log(found, bundle, patients, model, experiment) if logs else None
    verdicts = {population: found.verdict(population).sentence for population in found.populations}
    if as_json:
        document = {
            "endpoint": bundle.endpoint,
            "where": where,
            "patients": {"recorded": found.recorded, "judged": found.judged, "events": found.events},
            "verdict": verdicts,
            **(evaluation_document(found) or {}),
            "case_mix": case_mix_document(found.case_mix),
            "notes": found.notes,
            **({} if folder is None else {"folder": str(folder)}),
            **({} if run is None else {"experiment": run.experiment, "run_id": run.run_id}),
        }
        typer.echo(json.dumps(document, indent=2, allow_nan=False))
        return
    for sentence in dict.fromkeys(verdicts.values()):
        typer.echo(sentence)
    for line in [*found.summary(), *found.case_mix_sentences()[:1]]:
        typer.echo(line)
    for note in found.notes:
        typer.echo(f"note: {note}", err=True)
    typer.echo("Tables and page: --out FOLDER" if folder is None else f"Tables and page: {folder}", err=True)
    if run is not None:
        typer.echo(f"Recorded in the experiment {run.experiment!r}: run {run.run_id}", err=True)


def _logs(log: bool | None, experiment: str | None) -> bool:
    """Whether to record an evaluation; a store that cannot be opened is refused before the work."""
    from nbrelapse.errors import InputError
    from nbrelapse.tracking.store import check_store, has_store

    if log is False and experiment is not None:
        raise InputError("nothing is recorded, so in no experiment either", column="--experiment", fix="leave it out")
    if log is False or (log is None and experiment is None and not has_store()):
        return False
    check_store()
    return True


def _log(
    found: ExternalEvaluation, bundle: Bundle, patients: Cohort, model: str, experiment: str | None
) -> RecordedEvaluation:
    from nbrelapse.scoring.evaluation_output import log_evaluation
    from nbrelapse.tracking.read import model_address

    return log_evaluation(found, bundle, patients, address=model_address(model), experiment=experiment)


def explain(
    model: Annotated[str, typer.Argument(help="A model folder, or an MLflow URI (models:/…, runs:/…).")],
    cohort: Annotated[Path, typer.Argument(help="The cohort folder.")],
    out: Annotated[Path, typer.Option(help="Folder for the attributions, pictures and pages.")],
    where: Where = None,
    patient: Annotated[str | None, typer.Option(help="Write the page of this patient, patient.html.")] = None,
    horizon: Annotated[
        float | None,
        typer.Option(help="Years of the explained probability; the longest of 1, 2, 3 and 5 that training reaches."),
    ] = None,
    background: Annotated[
        Path | None, typer.Option(help="A cohort folder to compare with: contributions start from its mean.")
    ] = None,
    allow_missing_assays: Annotated[
        bool, typer.Option(help="Explain although nobody has an assay that the model reads.")
    ] = False,
    trust: Trust = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Attribute a model's predictions to mechanisms: tables, pictures and HTML pages."""
    import json

    from nbrelapse.cohort.storage import read_cohort
    from nbrelapse.scoring.explain import ExplainRequest, explain_cohort
    from nbrelapse.scoring.patient import check_patient
    from nbrelapse.scoring.reading import load_model

    bundle = load_model(model, trust=trust)
    explained = read_patients(cohort, where)
    if patient is not None:
        check_patient(explained, patient)
    request = ExplainRequest(
        patient=patient,
        horizon_years=horizon,
        background=None if background is None else read_cohort(background),
        allow_missing_assays=allow_missing_assays,
    )
    found = explain_cohort(bundle, explained, out, request)
    document = {"model": model, "endpoint": bundle.endpoint, **_document(found)}
    if as_json:
        typer.echo(json.dumps(document, indent=2, allow_nan=False))
        return
    typer.echo(f"Mean absolute contribution to the {found.explanation.scale}:")
    for name, value in document["mechanisms"].items():
        title = bundle.catalogue.mechanisms[name].title
        typer.echo(f"  {title:<28}{value:8.3f}{_over_refits(found.stability, name)}")
    typer.echo(f"{document['patients']} patients explained: {found.report}")
    if found.patient_report is None:
        say_next("explain", model, cohort, "--out", out, *_chosen(where), "--patient", "ID")
    else:
        typer.echo(f"Page of the patient: {found.patient_report}")


def _document(found: ExplainedCohort) -> dict[str, Any]:
    explanation, stable, attributions = found.explanation, found.stability, found.attributions
    document = {
        "patients": len(explanation.values),
        "mechanisms": {name: float(value) for name, value in explanation.mechanism_importance().items()},
        "stability": None if stable is None else _stability_document(stable),
        "attributions": str(attributions.log_risk),
        "probability": {
            "attributions": str(attributions.probability),
            "horizon_days": attributions.horizon_days,
            "mechanisms": attributions.mechanisms,
        },
        **({} if found.game is None else {"game": _nulls(found.game)}),
        "report": str(found.report),
        "figures": [str(file) for file in found.figures],
    }
    return document | ({} if found.patient_report is None else {"patient_report": str(found.patient_report)})


def _over_refits(stable: Stability | None, mechanism: str) -> str:
    if stable is None:
        return ""
    row = stable.mechanisms.loc[mechanism]
    return f"   {row['low']:.3f} to {row['high']:.3f}   rank {row['rank_low']} to {row['rank_high']}   {row['status']}"


def _stability_document(stable: Stability) -> dict[str, Any]:
    """Return the tables that a reader of JSON wants; NaN as null."""
    tables = {
        "mechanisms": stable.mechanisms,
        "rank_agreement": stable.rank_agreement,
        "disagreements": stable.disagreements.drop(columns="agrees"),
    }
    document = {name: _nulls(table) for name, table in tables.items()}
    return {"patients": stable.n_patients, "refits": stable.n_refits, **document}


def _nulls(table: pd.DataFrame) -> dict[Any, Any]:
    return table.astype(object).where(table.notna(), None).to_dict("index")


def score(
    model: Annotated[
        str, typer.Argument(help="A model folder, an MLflow URI (models:/…, runs:/…), or auto: one for each patient.")
    ],
    cohort: Annotated[Path, typer.Argument(help="The cohort folder.")],
    out: Annotated[Path, typer.Option(help="The file of scores: .parquet, .csv or .json.")],
    where: Where = None,
    allow_missing_assays: Annotated[
        bool, typer.Option(help="Score although nobody has an assay that the model reads.")
    ] = False,
    endpoint: Annotated[
        str | None, typer.Option(help="Of auto: the models of this endpoint take part; efs by default.")
    ] = None,
    models: Annotated[
        Path | None, typer.Option(help="Of auto: the folder whose model folders take part; models by default.")
    ] = None,
    trust: Trust = None,
    jobs: Jobs = 1,
    executor: Executor = "local",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Score the patients of a cohort: risk, interval, mechanisms, and what was missing.

    With auto, each patient by the model that knows most of what it needs of the patient; the file says which.
    """
    import json

    from nbrelapse.errors import InputError
    from nbrelapse.scoring.reading import load_model
    from nbrelapse.scoring.scores import check_scores_file

    check_scores_file(out)
    if model == "auto":
        _score_auto(read_patients(cohort, where), out, endpoint or "efs", models or Path("models"), trust, as_json)
        return
    for option, value in (("--endpoint", endpoint), ("--models", models)):
        if value is not None:
            raise InputError(f"{option} is of nbrelapse score auto", column=option, fix="leave it out, or say auto")
    bundle = load_model(model, trust=trust)
    patients = open_patients(cohort if executor == "local" else cohort.resolve(), where)
    with executing_on(executor, jobs) as jobs:
        document = _score_blocks(bundle, patients, out, jobs, allow_missing_assays=allow_missing_assays)
    if as_json:
        typer.echo(json.dumps(document, indent=2))
        return
    _print_scored(document)
    say_next("explain", model, cohort, "--out", "explained", *_chosen(where))


def _chosen(where: str | None) -> tuple[str, ...]:
    return () if where is None else ("--where", where)


def _score_blocks(
    bundle: Bundle, patients: StoredCohort, out: Path, jobs: int, *, allow_missing_assays: bool
) -> dict[str, Any]:
    """Score one block of patients after another, and write the scores as they come."""
    from joblib import delayed

    from nbrelapse.cohort.rows import rows_file
    from nbrelapse.mechanisms.blocks import independent_blocks
    from nbrelapse.scoring.scores import can_score_blocks, require_assays, told_notes

    ready = independent_blocks(patients, bundle.catalogue) if can_score_blocks(bundle) else patients.whole()
    tasks = [delayed(_score_block)(bundle, block, out.suffix, place) for place, block in enumerate(ready.blocks)]
    found = []
    with rows_file(out, "the scores") as append:
        for rows, summary in block_by_block(tasks, jobs):
            append(rows)
            found.append(summary)
        if not allow_missing_assays:
            require_assays(bundle, found)
    return {
        "file": str(out),
        "patients": sum(block.patients for block in found),
        "unscored": sum(block.unscored for block in found),
        "with_warnings": sum(block.with_warnings for block in found),
        "notes": told_notes(bundle, [block.told for block in found]),
    }


def _score_block(bundle: Bundle, block: CohortBlock, suffix: str, place: int) -> tuple[Rows, ScoredBlock]:
    """Score a block of patients, here or in another process."""
    from nbrelapse.cohort.rows import encode_rows
    from nbrelapse.scoring.scores import score_block

    scores, summary = score_block(bundle, block.read())
    return encode_rows(scores, suffix, first=place == 0), summary


def _score_auto(patients: Cohort, out: Path, endpoint: str, folder: Path, trust: Path | None, as_json: bool) -> None:
    """Score each patient by a model of the patient's own, and say how many each model scored."""
    import json

    from nbrelapse.scoring.auto import score_auto
    from nbrelapse.scoring.scores import write_scores

    found = score_auto(folder, patients, endpoint=endpoint, trust=trust)
    document = _scored(write_scores(found.table, out), found.table)
    document |= {"endpoint": endpoint, "models": found.models, "not_scored": found.left_out, "notes": found.notes}
    if as_json:
        typer.echo(json.dumps(document, indent=2))
        return
    _print_scored(document)
    for name, number in found.models.items():
        typer.echo(f"  {name}: {number}")
    for reason, number in found.left_out.items():
        typer.echo(f"  none: {number} ({reason})")


def _scored(file: Path, scores: pd.DataFrame) -> dict[str, Any]:
    warned = int((scores["warnings"] != "").sum())
    unscored = int(scores["log_risk"].isna().sum())
    return {"file": str(file), "patients": len(scores), "unscored": unscored, "with_warnings": warned}


def _print_scored(document: dict[str, Any]) -> None:
    number = document["patients"] - document["unscored"]
    told = f"{number} scored, {document['with_warnings']} with warnings: {document['file']}"
    typer.echo(f"{document['patients']} patients: {told}")
    for note in document["notes"]:
        typer.echo(f"note: {note}", err=True)


def export(
    model: Annotated[str, typer.Argument(help="A model folder, or an MLflow URI (models:/…, runs:/…).")],
    folder: Annotated[Path, typer.Argument(help="Where to write it.")],
    trust: Trust = None,
    sign: Sign = None,
    overwrite: Annotated[bool, typer.Option(help="Replace a folder that is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Check a model and write it as a folder that can be copied, archived and scored with; signatures stay behind."""
    import json

    from nbrelapse.scoring.reading import load_model
    from nbrelapse.scoring.storage import write_bundle

    bundle = load_model(model, trust=trust)
    target = write_bundle(bundle, folder, sign=sign, overwrite=overwrite)
    if as_json:
        typer.echo(json.dumps({"folder": str(target), "endpoint": bundle.endpoint, "family": bundle.model.family}))
        return
    typer.echo(f"{bundle.model.family} model of {bundle.endpoint}: {target}")
    say_next("score", target, "COHORT", "--out", "scores.csv")


def verify(
    model: Annotated[str, typer.Argument(help="A model folder, or an MLflow URI (models:/…, runs:/…).")],
    trust: Trust = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Say what a saved model is, that it is whole, and who signed it; nothing in it is run, no model is made of it."""
    import json

    from nbrelapse.scoring.reading import check_model

    found = check_model(model, trust=trust)
    typer.echo(json.dumps(found.to_dict()) if as_json else str(found))
