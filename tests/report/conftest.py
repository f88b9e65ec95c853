"""A made-up experiment: what the pictures and reports are drawn from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nbrelapse.explanation.explanation import Explanation, roll_up
from nbrelapse.explanation.stability import Stability, patient_intervals, stability
from nbrelapse.mechanisms.catalogue import Catalogue, FeatureDefinition, Mechanism
from nbrelapse.mechanisms.feature_table import FeatureTable
from nbrelapse.metrics.decisions import ClinicalUtility, clinical_utility
from nbrelapse.metrics.evaluation import Evaluation
from nbrelapse.metrics.horizons import YEAR
from nbrelapse.metrics.predictions import Predictions
from nbrelapse.models.base import Attribution
from nbrelapse.outcome import SURVIVAL, SURVIVAL_DTYPE
from nbrelapse.report.evaluation_report import EvaluationContent, write_evaluation_report
from nbrelapse.report.experiment_report import ReportContent, write_experiment_report
from nbrelapse.report.explanation_report import ExplanationContent, explanation_figures, write_explanation_report
from nbrelapse.report.facts import coverage_table
from nbrelapse.report.guard_sections import GuardSection
from nbrelapse.report.patient_report import (
    GroupCourse,
    PatientContent,
    PatientPrediction,
    SimilarPatients,
    write_patient_report,
)
from nbrelapse.report.plots import (
    feature_coverage,
    incidence_course,
    leaderboard_forest,
    mechanism_bar,
    patient_waterfall,
)
from nbrelapse.report.render import draw_figures
from nbrelapse.report.sentences import ProbabilityImportance, verdict
from nbrelapse.scoring import Bundle, compare_case_mix

MECHANISMS = {
    "mycn": ("MYCN amplification", "#882255"),
    "alk": ("ALK", "#cc6677"),
    "telomere": ("Telomere maintenance", "#aa4499"),
    "p53": ("p53 pathway", "#332288"),
    "instability": ("Chromosomal instability", "#4477aa"),
    "clinical": ("Clinical", "#777777"),
}
FEATURES = {
    "mycn__amplified": ("MYCN amplified", "binary", 1),
    "alk__hotspot_mutation": ("ALK kinase hotspot mutation", "binary", 1),
    "telomere__tert_rearranged": ("TERT rearrangement", "binary", 1),
    "p53__tp53_mutation": ("TP53 mutation", "binary", 1),
    "instability__loss_11q": ("Segmental loss of 11q", "binary", 1),
    "instability__gain_17q": ("Segmental gain of 17q", "binary", 1),
    "instability__fraction_altered": ("Fraction of the genome altered", "fraction", 1),
    "clinical__age_months": ("Age at diagnosis", "continuous", 1),
    "clinical__stage": ("INSS stage 4", "binary", 1),
}
HOSTILE = '<script>alert("x")</script><img src=http://evil.example/a.png onerror=alert(1)>'
COEFFICIENTS = [0.9, 0.4, 0.6, 0.5, 0.35, -0.2, 0.8, 0.012, 0.7]


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    mechanisms = {
        name: Mechanism(name, title, color, f"About {title}.", ("lorlatinib",) if name == "alk" else (), "")
        for name, (title, color) in MECHANISMS.items()
    }
    features = {
        name: FeatureDefinition(
            name,
            name.split("__")[0],
            title,
            f"{title}.",
            "clinical",
            kind,
            "x",
            direction={"relapse": sign},
            therapies=("lorlatinib",) if name == "alk__hotspot_mutation" else (),
        )
        for name, (title, kind, sign) in FEATURES.items()
    }
    return Catalogue("test", mechanisms, features)


@pytest.fixture(scope="session")
def values() -> pd.DataFrame:
    rng = np.random.default_rng(7)
    n = 240
    table = pd.DataFrame(rng.binomial(1, 0.25, (n, len(FEATURES))).astype(float), columns=list(FEATURES))
    table["instability__fraction_altered"] = rng.beta(1.5, 5, n)
    table["clinical__age_months"] = rng.gamma(1.5, 20, n)
    table.loc[rng.random(n) < 0.4, "alk__hotspot_mutation"] = np.nan
    table.loc[rng.random(n) < 0.6, ["telomere__tert_rearranged"]] = np.nan
    table.index = pd.Index([f"PATIENT-{row}" for row in range(n)], name="patient_id")
    return table


@pytest.fixture(scope="session")
def explanation(values: pd.DataFrame) -> Explanation:
    contributions = values.fillna(values.mean() + 0.05).sub(values.mean()) * COEFFICIENTS
    mechanism_of = pd.Series({name: name.split("__")[0] for name in FEATURES}, name="mechanism", dtype="object")
    log_risk = contributions.sum(axis=1).rename("log_risk")
    return Explanation(0.0, contributions, roll_up(contributions, mechanism_of), values, log_risk, mechanism_of)


class _Refit:
    """A linear model whose coefficients are those of the explanation, disturbed."""

    kind = SURVIVAL

    def __init__(self, explanation: Explanation, seed: int) -> None:
        self.mean = explanation.values.mean()
        self.coefficients = np.array(COEFFICIENTS) + np.random.default_rng(seed).normal(0, 0.3, len(COEFFICIENTS))

    def attribute(self, X: pd.DataFrame, background: pd.DataFrame | None = None) -> Attribution:
        return Attribution(0.0, X.fillna(self.mean).sub(self.mean) * self.coefficients)

    def predict_log_risk(self, X: pd.DataFrame) -> np.ndarray:
        return self.attribute(X).values.sum(axis=1).to_numpy()


@pytest.fixture(scope="session")
def stable(explanation: Explanation, catalogue: Catalogue) -> Stability:
    refits: list[Any] = [_Refit(explanation, seed) for seed in range(20)]
    return stability(explanation, refits, catalogue, "relapse", refits[:3])


@pytest.fixture(scope="session")
def y(explanation: Explanation) -> np.ndarray:
    rng = np.random.default_rng(3)
    risk = explanation.prediction.to_numpy()
    time = rng.exponential(2500 * np.exp(-risk))
    death = rng.exponential(15000, len(risk))
    censoring = rng.uniform(300, 4000, len(risk))
    event = np.where(time < np.minimum(death, censoring), 1, np.where(death < censoring, 2, 0))
    outcome = np.empty(len(risk), dtype=SURVIVAL_DTYPE)
    outcome["event"], outcome["time"] = event, np.minimum(np.minimum(time, death), censoring)
    return outcome


@pytest.fixture(scope="session")
def groups(explanation: Explanation) -> pd.Series:
    """Return 8 patients of the low group, 112 of the middle one, 117 of the high one, 3 unknown."""
    names = ["Low"] * 8 + ["Middle"] * 112 + ["High"] * 117 + [None] * 3
    ids = explanation.features.index
    return pd.Series(pd.Categorical(names, ["Low", "Middle", "High"]), ids, name="Recorded risk group")


@pytest.fixture(scope="session")
def evaluation() -> Evaluation:
    c = {
        "all": {"clinical_cog": 0.71, "clinical_cox": 0.741, "cox": 0.792, "boosted": 0.781},
        "high_risk": {"clinical_cog": 0.5, "clinical_cox": 0.55, "cox": 0.612, "boosted": 0.59},
    }
    others = {"uno_c": -0.01, "auc_1y": 0.03, "auc_3y": 0.05, "auc_5y": 0.04, "integrated_brier": -0.62}
    metrics, differences = [], []
    for population, by_model in c.items():
        n, events = (249, 92) if population == "all" else (88, 61)
        for model, value in by_model.items():
            for metric, shift in {"harrell_c": 0.0, **others}.items():
                v = value + shift
                metrics.append((model, population, metric, v, v - 0.05, v + 0.05, n, events))
            slope = np.nan if model == "clinical_cog" else 0.93
            metrics.append((model, population, "calibration_slope", slope, slope - 0.2, slope + 0.2, n, events))
            for reference in ("clinical_cog", "clinical_cox"):
                if model in ("cox", "boosted"):
                    d = value - by_model[reference]
                    low, high = (0.012, 0.09) if population == "all" else (-0.03, 0.15)
                    differences.append((model, reference, population, "harrell_c", d, low, high))
    return Evaluation(
        pd.DataFrame(metrics, columns=["model", "population", "metric", "value", "low", "high", "n", "events"]),
        pd.DataFrame(differences, columns=["model", "reference", "population", "metric", "difference", "low", "high"]),
        [],
        SURVIVAL,
    )


@pytest.fixture(scope="session")
def utility(explanation: Explanation, y: np.ndarray) -> ClinicalUtility:
    times = np.array([3, 5]) * YEAR
    log_risk = explanation.prediction.to_numpy()
    incidence = 1 - np.exp(-np.exp(log_risk)[None, :, None] * times / 2500)
    cox = Predictions("cox", log_risk[None], np.zeros((1, len(y)), int), incidence, times)
    group = np.random.default_rng(0).integers(0, 3, len(y)).astype(float)
    return clinical_utility("cox", {"cox": cox}, {"clinical_risk_group": group}, y, n_bootstrap=100)


@pytest.fixture(scope="session")
def hostile() -> str:
    return HOSTILE


@pytest.fixture(scope="session")
def content(
    explanation: Explanation,
    catalogue: Catalogue,
    values: pd.DataFrame,
    evaluation: Evaluation,
    utility: ClinicalUtility,
    stable: Stability,
    groups: pd.Series,
) -> ReportContent:
    coverage = coverage_table(FeatureTable(values, catalogue))
    return ReportContent(
        title=f"Cohort {HOSTILE}",
        created="2025-01-01 12:00 UTC",
        endpoint="relapse",
        cohort={"Name": HOSTILE, "Patients": 240},
        outcome={HOSTILE: "183 relapses"},
        config=f'name = "{HOSTILE}"\n' + "x" * 400,
        coverage=coverage.assign(title=HOSTILE),
        catalogue=catalogue,
        cross_validation=evaluation,
        holdout=evaluation,
        holdout_openings=3,
        chosen="cox",
        chosen_because="Highest cross-validated Harrell C.",
        explanations={"boosted": explanation, "cox": explanation},
        stability={"boosted": stable, "cox": stable},
        pictures=draw_figures(
            {
                "leaderboard": leaderboard_forest(evaluation, "cox"),
                **explanation_figures(explanation, catalogue, stable, groups),
                "coverage": feature_coverage(coverage, catalogue),
                HOSTILE: mechanism_bar(explanation, catalogue),
            }
        ),
        notes=[HOSTILE],
        environment={"Folder": "/a" * 200},
        utility=utility,
        probability={"cox": ProbabilityImportance({name: 0.042 for name in MECHANISMS}, 5 * YEAR)},
    )


@pytest.fixture(scope="session")
def report(content: ReportContent, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_experiment_report(content, tmp_path_factory.mktemp("report") / "report.html")


@pytest.fixture(scope="session")
def full_report(content: ReportContent, evaluation: Evaluation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with every section that a report may have."""
    tried = GuardSection("Models tried", ("They are two.",), ("Model and figure", "Apparent"), (("Cox, slope", "1.1"),))
    full = replace(
        content,
        title="quickstart",
        simulated=True,
        guards=(tried,),
        leave_one_out=evaluation,
        places={"Run": "0123456789abcdef" * 2},
        commands=[f"nbrelapse explain models:/m-{'0123456789abcdef' * 2} COHORT --out explained"],
    )
    return write_experiment_report(full, tmp_path_factory.mktemp("full") / "report.html")


@pytest.fixture(scope="session")
def evaluation_report(
    bundles: dict[str, Bundle],
    training: tuple[pd.DataFrame, np.ndarray],
    evaluation: Evaluation,
    utility: ClinicalUtility,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A saved model judged on other patients, whose features are compared with those of the training."""
    bundle, (X, y) = bundles["cox"], training
    mix = compare_case_mix(bundle, X.iloc[::2] * 1.3, y[::2])
    judged = EvaluationContent(
        title="Elastic-net Cox in another cohort",
        created="2025-01-01",
        endpoint="relapse",
        model="cox",
        evaluation=replace(evaluation, utility=utility, notes=[HOSTILE]),
        verdicts=[verdict(evaluation, "cox"), verdict(evaluation, "cox", "high_risk")],
        summary=["Judged: 240 patients with 92 events."],
        facts={"Cohort": "c" * 200, "Patients": 240},
        case_mix={"case_mix": mix.features, "case_mix_figures": mix.figures},
        mechanisms={name: bundle.catalogue.mechanisms[name].title for name in bundle.mechanisms},
    )
    return write_evaluation_report(judged, tmp_path_factory.mktemp("evaluation") / "evaluation.html")


@pytest.fixture(scope="session")
def patient_content(explanation: Explanation, catalogue: Catalogue) -> PatientContent:
    """The page of the highest risk, renamed to something hostile; nothing is known of its TERT."""
    row = explanation.features.index.get_loc(explanation.prediction.idxmax())
    tables = {
        name: getattr(explanation, name).iloc[[row]] for name in ("features", "mechanisms", "values", "prediction")
    }
    own = replace(explanation, **{name: table.set_axis([HOSTILE]) for name, table in tables.items()})
    values = own.values.assign(telomere__tert_rearranged=np.nan)
    own = replace(own, values=values)
    probability = replace(
        own,
        baseline=0.2,
        features=own.features / 10,
        mechanisms=own.mechanisms / 10,
        prediction=0.2 + own.prediction / 10,
        scale="probability",
        horizon_days=5 * YEAR,
    )
    refits: list[Any] = [_Refit(explanation, seed) for seed in range(20)]
    times = np.linspace(0, 5 * YEAR, 61)
    days = np.arange(1, 17) * YEAR / 4
    observed = pd.DataFrame({"days": days, "incidence": days / 4500, "low": days / 6000, "high": days / 3500})
    return PatientContent(
        patient_id=HOSTILE,
        created="2025-01-01",
        model="cox",
        endpoint="relapse",
        catalogue=catalogue,
        prediction=PatientPrediction(
            explanation=own,
            probability=probability,
            band=(0.31, 0.68),
            percentile=99.9,
            probabilities={f"{years} years": (0.1 * years, 0.08 * years, 0.12 * years) for years in (1, 2, 3, 5)},
            intervals=patient_intervals(own, refits, catalogue),
            evidence=0.81,
            known=dict(values.iloc[0]),
            group=GroupCourse("Recorded risk group: high", 88, 31, observed),
            similar=SimilarPatients(
                5 * YEAR,
                0.41,
                0.58,
                50,
                27,
                pd.DataFrame({"years": [1, 5], "incidence": [0.2, 0.52], "low": [0.1, 0.38], "high": [0.33, 0.66]}),
            ),
            competing=True,
            ranges=pd.DataFrame({"low": [1.0], "high": [60.0]}, index=["clinical__age_months"]),
            unlike=97.0,
            surprising=pd.DataFrame(
                {"deviation": [5.2, -2.4], "mean": [18.3, 0.25]}, index=["clinical__age_months", "mycn__amplified"]
            ),
            figures={
                "waterfall": patient_waterfall(own, HOSTILE, catalogue),
                "waterfall_probability": patient_waterfall(probability, HOSTILE, catalogue),
                "course": incidence_course(times, times / 4000, times / 5000, times / 3000, observed),
            },
        ),
        missing_assays=["rearrangements"],
        warnings=[HOSTILE],
        facts={"Cohort": "c" * 200, "Training patients": 240},
    )


@pytest.fixture(scope="session")
def patient_report(patient_content: PatientContent, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_patient_report(patient_content, tmp_path_factory.mktemp("patient") / "patient.html")


@pytest.fixture(scope="session")
def unscored_report(patient_content: PatientContent, tmp_path_factory: pytest.TempPathFactory) -> Path:
    unknown = replace(patient_content, patient_id="P", prediction=None, warnings=[], facts={"Model": "Elastic-net Cox"})
    return write_patient_report(unknown, tmp_path_factory.mktemp("unscored") / "patient.html")


@pytest.fixture(scope="session")
def cohort_report(
    explanation: Explanation,
    catalogue: Catalogue,
    stable: Stability,
    groups: pd.Series,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    content = ExplanationContent(
        title="What drives the predictions",
        created="2025-01-01",
        model="boosted",
        endpoint="relapse",
        explanation=explanation,
        catalogue=catalogue,
        pictures=draw_figures(explanation_figures(explanation, catalogue, stable, groups)),
        stability=stable,
        probability=ProbabilityImportance({name: 0.042 for name in MECHANISMS} | {"alk": None}, 3 * YEAR),
        facts={"Cohort": "c" * 200, "Patients": len(explanation.values)},
        notes=["Too little is known of 3 patients to score them; they are explained here all the same."],
    )
    return write_explanation_report(content, tmp_path_factory.mktemp("cohort") / "explanation.html")
