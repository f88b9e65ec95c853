"""``nbrelapse explain``: what drives a model's predictions in a cohort, and in one patient."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.figure import Figure

    from nbrelapse.explanation import Explanation, Stability
    from nbrelapse.report.explanation_report import PatientPage
    from nbrelapse.scoring import Bundle


def explain(
    model: Annotated[str, typer.Argument(help="A model folder, or an MLflow URI (models:/…, runs:/…).")],
    cohort: Annotated[Path, typer.Argument(help="The cohort folder.")],
    out: Annotated[Path, typer.Option(help="Folder for the attributions, pictures and report.")],
    patient: Annotated[str | None, typer.Option(help="Add the page of this patient.")] = None,
    horizon: Annotated[
        float | None,
        typer.Option(help="Years of the explained probability; the longest of 1, 2, 3 and 5 that training reaches."),
    ] = None,
    allow_missing_assays: Annotated[
        bool, typer.Option(help="Explain although nobody has an assay that the model reads.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Attribute a model's risks and probabilities to mechanisms: tables, pictures and an HTML report."""
    import json

    from nbrelapse.cli.explained_horizon import explained_horizon
    from nbrelapse.cohort import read_cohort
    from nbrelapse.errors import InputError
    from nbrelapse.experiment.patient_groups import patient_groups
    from nbrelapse.explanation import explain as attribute
    from nbrelapse.explanation import stability
    from nbrelapse.mechanisms import build_features
    from nbrelapse.report.explanation_figures import explanation_figures
    from nbrelapse.scoring import load_model
    from nbrelapse.scoring.score import require_assays

    bundle = load_model(model)
    horizon_days = explained_horizon(bundle, horizon)
    studied = read_cohort(cohort)
    features = build_features(studied, bundle.catalogue, bundle.gene_sets).values
    X = features[list(bundle.schema.index)]
    if not allow_missing_assays:
        require_assays(bundle, X)
    page = None if patient is None else _patient_page(bundle, X, patient)
    explanation = attribute(bundle.model, X, bundle.catalogue)
    refits = bundle.refits
    stable = stability(explanation, refits, bundle.catalogue, bundle.endpoint) if refits and len(X) else None
    groups = patient_groups(studied, features, explanation.prediction)
    figures = explanation_figures(explanation, bundle.catalogue, stable, groups)
    figures |= _patient_figures(bundle, explanation, X, page)

    document: dict[str, Any] = {
        "model": model,
        "endpoint": bundle.endpoint,
        "patients": len(X),
        "mechanisms": {name: float(value) for name, value in explanation.mechanism_importance().items()},
        "stability": None if stable is None else _stability_document(stable),
    }
    try:
        document |= _write(out, bundle, studied.name, explanation, horizon_days, stable, figures, page)
    except OSError as error:
        raise InputError(f"the explanation cannot be written: {error.strerror}", file=out) from None
    if as_json:
        typer.echo(json.dumps(document, indent=2, allow_nan=False))
        return
    typer.echo(f"Mean absolute contribution to the {explanation.scale}:")
    for name, value in document["mechanisms"].items():
        typer.echo(f"  {bundle.catalogue.mechanisms[name].title:<28}{value:8.3f}{_over_refits(stable, name)}")
    typer.echo(f"{len(X)} patients explained: {document['report']}")


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
    document = {
        name: table.astype(object).where(table.notna(), None).to_dict("index") for name, table in tables.items()
    }
    return {"patients": stable.n_patients, "refits": stable.n_refits, **document}


def _patient_page(bundle: Bundle, X: pd.DataFrame, patient: str) -> PatientPage:
    from nbrelapse.errors import InputError
    from nbrelapse.report.explanation_report import PatientPage
    from nbrelapse.scoring.score_columns import HORIZON_YEARS
    from nbrelapse.scoring.score_features import score_features

    if patient not in X.index:
        raise InputError("the cohort has no such patient", column="--patient", mend="give an id of the cohort")
    row = score_features(bundle, X.loc[[patient]]).iloc[0].to_dict()
    titles = bundle.schema["title"].to_dict()
    names = {f"incidence_{years}y": f"{years} year{'s' if years > 1 else ''}" for years in HORIZON_YEARS}
    names |= {f"probability_{bundle.endpoint}": "by the end of induction"}
    probabilities = {
        title: (row[name], row[f"{name}_low"], row[f"{name}_high"])
        for name, title in names.items()
        if not math.isnan(row.get(name, math.nan))
    }
    return PatientPage(
        patient_id=patient,
        percentile=row["risk_percentile"],
        probabilities=probabilities,
        missing_assays=[name.replace("_", " ") for name in row["missing_assays"].split(", ") if name],
        out_of_range=[titles[name] for name in row["out_of_range_features"].split(", ") if name],
    )


def _patient_figures(
    bundle: Bundle, explanation: Explanation, X: pd.DataFrame, page: PatientPage | None
) -> dict[str, Figure]:
    import numpy as np

    from nbrelapse.report.plots import patient_waterfall, survival_curve
    from nbrelapse.validation.horizons import LONGEST_YEARS, YEAR

    figures = {}
    if page is not None and not np.isnan(page.percentile):
        figures["waterfall"] = patient_waterfall(explanation, page.patient_id, bundle.catalogue)
        if bundle.followed_days is not None:
            times = np.linspace(0.0, min(bundle.followed_days, LONGEST_YEARS * YEAR), 121)
            figures["survival"] = survival_curve(times, *_survival(bundle, X.loc[[page.patient_id]], times))
    return figures


def _survival(bundle: Bundle, X: pd.DataFrame, times: np.ndarray) -> tuple[np.ndarray, ...]:
    """Event-free survival of a patient, the band of 95% of the refits, and survival at the mean log risk."""
    import numpy as np

    refits = np.stack([refit.predict_survival(X, times)[0] for refit in bundle.refits])
    low, high = np.quantile(refits, [0.025, 0.975], axis=0)
    average = bundle.model.baseline_.cumulative_incidence(np.zeros(1), times)[0, 0]
    return bundle.model.predict_survival(X, times)[0], low, high, average


def _write(
    out: Path,
    bundle: Bundle,
    cohort: str,
    explanation: Explanation,
    horizon_days: float | None,
    stable: Stability | None,
    figures: dict[str, Figure],
    page: PatientPage | None,
) -> dict[str, Any]:
    from datetime import UTC, datetime

    from nbrelapse.cli.write_attributions import write_attributions
    from nbrelapse.report.explanation_report import ExplanationContent, write_explanation_report
    from nbrelapse.report.save_figures import save_figures
    from nbrelapse.report.wording import model_title
    from nbrelapse.scoring.evidence_of import evidence_of
    from nbrelapse.scoring.score_features import LEAST_EVIDENCE

    evidence = evidence_of(bundle, explanation.values)
    attributions = write_attributions(out, bundle, explanation, horizon_days, evidence)
    pictures = save_figures(figures, out)
    unscored = int((evidence < LEAST_EVIDENCE).sum())
    content = ExplanationContent(
        title=f"What drives the predictions in {cohort}",
        created=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        model=bundle.model.family,
        endpoint=bundle.endpoint,
        explanation=explanation,
        catalogue=bundle.catalogue,
        figures=figures,
        patient=page,
        stability=stable,
        facts={
            "Model": model_title(bundle.model.family),
            "Features read": len(bundle.schema),
            "Cohort": cohort,
            "Patients": len(evidence),
            "Catalogue": bundle.catalogue.version,
        },
        notes=[f"Too little is known of {unscored} patients to score them; they are explained here all the same."]
        if unscored
        else [],
    )
    report = write_explanation_report(content, out / "explanation.html")
    return {
        **attributions,
        "report": str(report),
        "figures": [str(file) for file in pictures],
    }
