"""What is left behind of an experiment: MLflow runs, models, the report; and who is not in it."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

import nbrelapse
from nbrelapse.cohort import Cohort
from nbrelapse.experiment import ExperimentResult, publish
from nbrelapse.experiment.describe import _leading_features
from nbrelapse.experiment.prepare import _data_fingerprint
from nbrelapse.experiment.publish import Published, _group_courses, _observed_in_training
from nbrelapse.explanation import Explanation
from nbrelapse.mechanisms import load_catalogue
from nbrelapse.metrics import harrell_c
from nbrelapse.metrics.evaluation import chosen_difference
from nbrelapse.metrics.horizons import YEAR
from nbrelapse.metrics.incidence import observed_course
from nbrelapse.metrics.predictions import Predictions
from nbrelapse.models import partial_log_likelihood
from nbrelapse.models.families import model_title
from nbrelapse.report.experiment_report import _PLACED_FIGURES
from nbrelapse.report.patient_report import GroupCourse, SimilarPatients
from nbrelapse.report.sentences import verdict
from nbrelapse.scoring import score
from nbrelapse.scoring.patient import _group_course, _similar_patients
from nbrelapse.scoring.training_summary import ObservedOutcomes, SimilarOutcomes

FAMILIES = ["cox", "boosted"]
BASELINES = ["clinical_risk_group", "clinical_cog_v2", "clinical_inrg", "clinical_cox"]
SAMPLE = "SIM-000001-01"


@dataclass(frozen=True)
class Publication:
    """An experiment published into a store of its own, and the store."""

    folder: Path
    store: str
    published: Published

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(tracking_uri=self.store, registry_uri=self.store)

    @property
    def parent(self) -> Run:
        return self.client.get_run(self.published.run_id)

    @property
    def children(self) -> dict[str, Run]:
        runs = self.client.search_runs(
            [self.parent.info.experiment_id], f"tags.mlflow.parentRunId = '{self.published.run_id}'"
        )
        return {run.info.run_name: run for run in runs}

    def artifacts(self, run: Run) -> set[str]:
        folder = Path(run.info.artifact_uri.removeprefix("file://"))
        return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}

    def holding(self, texts: list[str]) -> set[str]:
        """Files of the store and report that hold one of the texts, Parquet files and archives unpacked."""
        found = set()
        for file in self.folder.rglob("*"):
            if file.is_file():
                content = file.read_bytes()
                if file.suffix == ".parquet":
                    content = pd.read_parquet(file).reset_index().to_csv().encode()
                elif zipfile.is_zipfile(file):
                    with zipfile.ZipFile(file) as archive:
                        content = b"".join(archive.read(name) for name in archive.namelist())
                if any(text.encode() in content for text in texts):
                    found.add(str(file.relative_to(self.folder)))
        return found


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory, _empty_database: Path) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("published")
    (folder / "mlruns").mkdir()
    shutil.copyfile(_empty_database, folder / "mlruns" / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        yield folder


@pytest.fixture(scope="module")
def publication(result: ExperimentResult, workplace: Path) -> Publication:
    published = publish(result, "reports/small.html", log_trials=True)
    return Publication(workplace, f"sqlite:///{workplace / 'mlruns' / 'mlflow.db'}", published)


def test_nobody_can_be_recognised(publication: Publication, cohort: Cohort) -> None:
    names = [*cohort.patient_ids, *cohort.samples["sample_id"]]
    assert SAMPLE in names
    assert publication.holding(names) == set()
    # The search does find what is there.
    found = publication.holding(["clinical__log2_age", "harrell_c", "Harrell"])
    assert {"mlruns/mlflow.db", "reports/small.html"} < found
    assert {"feature_attributions.parquet", "manifest.json", "model_card.md"} < {Path(name).name for name in found}


def test_the_store_is_below_the_working_directory(publication: Publication) -> None:
    assert sorted(path.name for path in publication.folder.iterdir()) == ["mlruns", "reports"]
    assert sorted(path.name for path in (publication.folder / "mlruns").iterdir()) == ["artifacts", "mlflow.db"]
    assert publication.published.report == Path("reports/small.html")


def test_a_parent_run_has_a_child_a_model(publication: Publication, result: ExperimentResult) -> None:
    children = publication.children
    assert sorted(children) == sorted([*BASELINES, *FAMILIES])
    parent = publication.parent
    assert {run.info.status for run in (parent, *children.values())} == {"FINISHED"}
    assert parent.info.run_name == "small"
    assert parent.data.tags["nbrelapse.chosen"] == publication.published.chosen == result.chosen
    assert parent.data.tags["seed"] == "3"
    assert parent.data.params["validation.folds"] == "3"
    assert parent.data.params["endpoint"] == "relapse"
    assert not any(name.startswith("cohort.path") for name in parent.data.params)


def test_the_metrics_are_the_figures_that_one_compares(publication: Publication, result: ExperimentResult) -> None:
    assert result.holdout is not None
    for model, run in publication.children.items():
        figures = run.data.metrics
        assert len(figures) <= 25
        expected = {}
        for name, row in {
            "c": result.metric(model, "harrell_c"),
            "c.high_risk": result.metric(model, "harrell_c", "high_risk"),
            "c.holdout": result.metric(model, "harrell_c", holdout=True),
        }.items():
            expected |= {name: row["value"], f"{name}.low": row["low"], f"{name}.high": row["high"]}
        for name, compared in {
            "c": chosen_difference(result.cross_validation, model),
            "c.high_risk": chosen_difference(result.cross_validation, model, "high_risk"),
            "c.holdout": chosen_difference(result.holdout, model),
        }.items():
            if compared is not None:
                expected[f"{name}.minus_baseline"] = compared.difference
                expected |= {f"{name}.minus_baseline.{end}": getattr(compared, end) for end in ("low", "high")}
        expected["brier"] = result.metric(model, "brier_3y")["value"]
        expected["calibration_slope"] = result.metric(model, "calibration_slope")["value"]
        expected |= {"patients": result.metric(model, "harrell_c")["n"]}
        expected |= {"events": result.metric(model, "harrell_c")["events"]}
        if model == result.chosen:
            expected["c.after_choice"] = result.guards.corrected
        curves = {"c.fold", "deviance_explained"}
        assert curves <= set(figures)
        figures = {name: value for name, value in figures.items() if name not in curves}
        assert figures == {name: round(float(value), 4) for name, value in expected.items() if np.isfinite(value)}
        assert (run.data.params["endpoint"], run.data.tags["endpoint"]) == ("relapse", "relapse")
        assert run.data.params["family"] == model
    shown = publication.children[result.chosen].data.metrics
    assert publication.parent.data.metrics == {
        name: value for name, value in shown.items() if name not in ("c.fold", "deviance_explained")
    }


def test_the_folds_and_the_fit_are_curves(publication: Publication, result: ExperimentResult) -> None:
    y, X = result.data.training.y, result.data.features(result.data.training)

    def curve(model: str, name: str) -> dict[int, float]:
        history = publication.client.get_metric_history(publication.children[model].info.run_id, name)
        return {point.step: point.value for point in history}

    for model in (*FAMILIES, "clinical_inrg"):
        risk, fold = result.predictions[model].log_risk[0], result.predictions[model].fold[0]
        expected = {
            number + 1: round(harrell_c(y[fold == number], risk[fold == number]), 4)
            for number in range(result.config.validation.folds)
        }
        assert curve(model, "c.fold") == expected
        assert len(set(expected.values())) > 1
    null = partial_log_likelihood(y, np.zeros(len(y)))
    for model, steps in (("cox", 12), ("boosted", result.models["boosted"].get_params()["n_estimators"])):
        path = curve(model, "deviance_explained")
        assert sorted(path) == list(range(1, steps + 1))
        reached = 1 - partial_log_likelihood(y, result.models[model].predict_log_risk(X)) / null
        assert path[steps] == pytest.approx(reached, abs=1e-4)
        assert path[1] < path[steps]


def test_the_trials_are_those_of_the_tuning(publication: Publication, result: ExperimentResult) -> None:
    settings = result.config.validation
    for model in FAMILIES:
        own = publication.children[model]
        runs = publication.client.search_runs(
            [own.info.experiment_id], f"tags.mlflow.parentRunId = '{own.info.run_id}'", max_results=1000
        )
        assert len(runs) == (1 + settings.folds * settings.repeats) * settings.trials
        on_all = [run for run in runs if run.data.params["tuned_on"] == "all training patients"]
        assert sorted(run.data.params["trial"] for run in on_all) == [str(number) for number in range(settings.trials)]
        best = max(on_all, key=lambda run: run.data.metrics["log_likelihood"]).data.params
        tuned = result.models[model].get_params()
        told = set(best) - {"tuned_on", "trial", "state"}
        assert {name: float(best[name]) for name in told} == {name: tuned[name] for name in told}
        assert told >= ({"penalty", "l1_ratio"} if model == "cox" else {"n_estimators", "max_depth"})
        for run in runs:
            history = publication.client.get_metric_history(run.info.run_id, "log_likelihood")
            assert sorted(point.step for point in history) == list(range(1, settings.inner_folds + 1))
    for model in BASELINES:
        assert not result.trials[model]["all training patients"]


def test_a_run_spans_the_work(publication: Publication, result: ExperimentResult) -> None:
    assert result.started is not None
    for run in (publication.parent, *publication.children.values()):
        assert run.info.start_time == int(result.started.timestamp() * 1000)
        assert run.info.end_time > run.info.start_time


def test_the_notes_tell_the_verdict_and_the_way_in(publication: Publication, result: ExperimentResult) -> None:
    assert result.holdout is not None
    note = publication.parent.data.tags["mlflow.note.content"]
    experiment = publication.client.get_experiment(publication.parent.info.experiment_id)
    assert experiment.tags["mlflow.note.content"] == note
    said = verdict(result.holdout, result.chosen)
    assert note.startswith(f"**All patients: {said.headline}.** {said.sentence}\n")
    rows = [line.split(" | ")[0].removeprefix("| ") for line in note.splitlines() if line.startswith("| ")]
    assert f"{model_title(result.chosen)} *" in rows
    assert len(rows) == 1 + len(result.models)
    for name, uri in publication.published.model_uris.items():
        own = publication.children[name].data.tags["mlflow.note.content"]
        logged = publication.client.get_logged_model(uri.removeprefix("models:/"))
        assert logged.name == f"small-{name}"
        assert logged.tags["mlflow.note.content"] == own
        for text in (own, note):
            assert f"`nbrelapse score {uri} COHORT --out scores.csv`" in text
            assert f'model = load_model("{uri}")' in text


def _previewed(tables: set[str]) -> set[str]:
    """The same tables as MLflow's page shows them, too."""
    return tables | {name.replace(".parquet", suffix) for name in tables for suffix in (".csv", ".json")}


def test_the_files_of_the_runs(publication: Publication) -> None:
    tables = {
        f"tables/{name}.parquet"
        for name in (
            "feature_manifest",
            "folds",
            "cross_validation_metrics",
            "cross_validation_differences",
            "holdout_metrics",
            "holdout_differences",
            "guards",
            "optimism",
        )
    }
    found = publication.artifacts(publication.parent)
    assert _previewed(tables) | {"report.html", "experiment.json"} <= found
    drawn = {Path(name).stem for name in found if name.startswith("plots/")}
    assert set(_PLACED_FIGURES) <= drawn
    assert {f"plots/{name}.{kind}" for name in drawn for kind in ("png", "svg")} <= found
    shap = {f"tables/{level}_{what}.parquet" for level in ("mechanism", "feature") for what in ("importance",)}
    shap |= {
        f"tables/{name}.parquet"
        for name in ("mechanism_stability", "feature_stability", "rank_agreement", "mechanism_cooccurrence")
    }
    shap |= {f"tables/{level}_attributions.parquet" for level in ("mechanism", "feature")}
    pictures = ("mechanisms", "beeswarm", "dependence", "risk_groups", "cooccurrence", "waterfall_highest_risk")
    plots = {f"plots/{name}.{kind}" for name in pictures for kind in ("png", "svg")}
    for name, run in publication.children.items():
        assert publication.artifacts(run) == (
            _previewed(shap) | plots | {"model_card.md"} if name in FAMILIES else set()
        )


def test_the_logged_tables_are_those_of_the_result(publication: Publication, result: ExperimentResult) -> None:
    parent = Path(publication.parent.info.artifact_uri.removeprefix("file://"))
    metrics = pd.read_parquet(parent / "tables" / "cross_validation_metrics.parquet")
    pd.testing.assert_frame_equal(metrics, result.cross_validation.metrics, check_exact=True)
    for shown in (
        pd.read_csv(parent / "tables" / "cross_validation_metrics.csv"),
        pd.read_json(parent / "tables" / "cross_validation_metrics.json", precise_float=True),
    ):
        counts = {"at_risk": float, "events_by": float}
        pd.testing.assert_frame_equal(
            shown.astype(counts), metrics.astype(counts), check_dtype=False, check_exact=False, rtol=1e-14
        )
    guards = pd.read_csv(parent / "tables" / "guards.csv").set_index("model")
    assert list(guards.index) == FAMILIES
    assert guards.loc["cox", "patients_needed"] == result.guards.size.patients_needed
    folds = pd.read_parquet(parent / "tables" / "folds.parquet")
    assert folds["repeat_0"].tolist() == result.predictions[result.chosen].fold[0].tolist()
    assert folds.index.is_unique
    manifest = pd.read_parquet(parent / "tables" / "feature_manifest.parquet")
    assert list(manifest.index[(manifest["left_out"] == "") & (manifest["role"] == "feature")]) == result.data.columns
    child = Path(publication.children["cox"].info.artifact_uri.removeprefix("file://"))
    attributions = pd.read_parquet(child / "tables" / "mechanism_attributions.parquet")
    np.testing.assert_array_equal(attributions.to_numpy(), result.explanations["cox"].mechanisms.to_numpy())
    stable = result.stability["cox"]
    assert (stable.n_refits, stable.n_folds) == (result.config.refits, result.config.validation.folds)
    for name in ("mechanisms", "features"):
        logged = pd.read_parquet(child / "tables" / f"{name[:-1]}_stability.parquet")
        pd.testing.assert_frame_equal(logged, getattr(stable, name), check_exact=True, check_dtype=False)
    assert attributions.index.equals(folds.index) is False  # other salts: tables of different runs cannot be joined


def test_the_dataset_is_named_by_its_fingerprint(publication: Publication, result: ExperimentResult) -> None:
    found = {item.tags[0].value: item.dataset for item in publication.parent.inputs.dataset_inputs}
    assert set(found) == {"training", "validation"}
    assert result.data.holdout is not None
    for purpose, outcome in (("training", result.data.training), ("validation", result.data.holdout)):
        dataset = found[purpose]
        assert dataset.name == "simulated"
        assert len(dataset.digest) >= 16
        assert _data_fingerprint(result.data, outcome).startswith(dataset.digest)
        profile = json.loads(dataset.profile)
        assert (profile["num_rows"], profile["num_events"]) == (len(outcome.y), int((outcome.y["event"] == 1).sum()))
        columns = json.loads(dataset.schema)["mlflow_colspec"]
        assert [column["name"] for column in columns] == result.data.columns
    assert found["training"].digest != found["validation"].digest


def test_the_runs_say_where_they_come_from(publication: Publication, result: ExperimentResult) -> None:
    path = result.config.cohort.path
    assert path is not None
    for run in (publication.parent, *publication.children.values()):
        tags = run.data.tags
        assert tags["cohort.path_sha256"] == hashlib.sha256(str(path.resolve()).encode()).hexdigest()
        assert tags["cohort"] == "simulated"
        assert tags["cohort.fingerprint"] == _data_fingerprint(result.data)
        assert tags["mlflow.user"]
        assert run.data.params["validation.folds"] == "3"
    # A path may hold a name.
    assert publication.holding([str(path), str(path.parent)]) == set()


def test_a_logged_model_says_what_it_is_of(publication: Publication) -> None:
    for family, uri in publication.published.model_uris.items():
        model = publication.client.get_logged_model(uri.removeprefix("models:/"))
        assert model.model_type == "survival risk model"
        assert (model.tags["endpoint"], model.tags["family"]) == ("relapse", family)
        assert model.tags["catalogue_version"] == str(load_catalogue().version)
        assert model.tags["evidence_needed"] == "0.25"


def test_the_model_card_says_what_it_is_not_for(publication: Publication) -> None:
    for name in FAMILIES:
        child = Path(publication.children[name].info.artifact_uri.removeprefix("file://"))
        card = (child / "model_card.md").read_text(encoding="utf-8")
        assert card.startswith(f"# small: {name}\n")
        assert "For research. Not for treatment decisions." in card
        assert "| all | harrell_c | " in card


@pytest.mark.parametrize("family", FAMILIES)
def test_the_models_load_and_score(
    publication: Publication,
    result: ExperimentResult,
    cohort: Cohort,
    family: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    uri = publication.published.model_uris[family]
    bundle = nbrelapse.load_model(uri)
    assert bundle.model.family == family
    assert bundle.endpoint == "relapse"
    assert bundle.training.patients == len(result.data.training.y)
    observed = bundle.training.observed
    assert observed is not None
    assert observed.similar.horizon_days == 5 * 365.25
    assert all(group.patients >= 20 for group in observed.clinical_groups)
    X = result.data.table.values.loc[cohort.patient_ids]
    scores = score(bundle, cohort).set_index("patient_id")
    scored = scores["log_risk"].notna()
    assert scored.mean() > 0.9
    expected = pd.Series(result.models[family].predict_log_risk(X), X.index)
    np.testing.assert_allclose(scores["log_risk"][scored], expected[scored], rtol=0, atol=1e-9)

    monkeypatch.setenv("MLFLOW_TRACKING_URI", publication.store)
    wrapped = mlflow.pyfunc.load_model(uri)
    served = wrapped.predict(X[list(bundle.schema.index)])
    np.testing.assert_allclose(served["log_risk"], scores["log_risk"], rtol=0, atol=1e-9)
    assert list(served.columns) == list(scores.columns)


def test_the_report_shows_no_patient_and_counts_the_opening(publication: Publication, cohort: Cohort) -> None:
    html = (publication.folder / "reports" / "small.html").read_text(encoding="utf-8")
    assert not any(name in html for name in cohort.patient_ids)
    assert "small" in html and "Hold-out" in html
    assert publication.parent.data.tags["nbrelapse.holdout_openings"] == "1"


def test_the_openings_of_a_holdout_are_counted(publication: Publication, result: ExperimentResult) -> None:
    second = publish(result, "reports/second.html")
    tags = publication.client.get_run(second.run_id).data.tags
    assert tags["nbrelapse.holdout_openings"] == "2"
    assert tags["nbrelapse.holdout"] == publication.parent.data.tags["nbrelapse.holdout"]


def test_patient_ids_are_logged_where_the_user_asks(
    publication: Publication, result: ExperimentResult, cohort: Cohort
) -> None:
    config = result.config.model_copy(update={"log_patient_ids": True, "name": "named"})
    named = replace(publication, published=publish(replace(result, config=config), "reports/named.html"))
    child = Path(named.children["cox"].info.artifact_uri.removeprefix("file://"))
    attributions = pd.read_parquet(child / "tables" / "mechanism_attributions.parquet")
    assert list(attributions.index) == list(result.data.training.patient_ids)
    run_folders = {name.split("/")[2] for name in named.holding(list(cohort.patient_ids))}
    written = [named.parent, *named.children.values()]
    assert run_folders <= {Path(run.info.artifact_uri).parent.name for run in written}


N = 180
TIMES = np.arange(1, 21) * YEAR / 4


@pytest.fixture(scope="module")
def features(cohort: Cohort) -> pd.DataFrame:
    level = np.repeat([0.0, 1.0, 2.0, np.nan], [19, 60, 100, 1])
    return pd.DataFrame({"clinical__risk_group": level}, index=pd.Index(cohort.patients["patient_id"]))


@pytest.fixture(scope="module")
def y() -> np.ndarray:
    rng = np.random.default_rng(1)
    outcome = np.zeros(N, dtype=[("event", "i1"), ("time", "f8")])
    outcome["event"], outcome["time"] = rng.integers(0, 3, N), rng.uniform(10, 9 * YEAR, N)
    return outcome


@pytest.fixture(scope="module")
def predictions() -> Predictions:
    incidence = np.linspace(0, 0.9, N)[None, :, None] * (TIMES / TIMES[-1])
    both = np.concatenate([incidence, incidence + 0.1])
    return Predictions("cox", np.zeros((2, N)), np.zeros((2, N), int), both, TIMES)


@pytest.fixture(scope="module")
def training(cohort: Cohort, features: pd.DataFrame, y: np.ndarray, predictions: Predictions) -> ObservedOutcomes:
    found = asdict(_observed_in_training(_group_courses(cohort, features, y), y, predictions))
    return ObservedOutcomes.from_dict(json.loads(json.dumps(found, allow_nan=False)))


def test_groups_of_twenty_keep_their_course(training: ObservedOutcomes, y: np.ndarray) -> None:
    groups = [group for group in training.clinical_groups if group.grouping == "clinical_risk_group"]
    assert [(group.level, group.patients) for group in groups] == [(1, 60), (2, 100)]
    assert groups[0].events == int((y["event"][19:79] == 1).sum())
    assert groups[0].course == observed_course(y[19:79])


def test_likeness_is_of_the_mean_prediction_over_repeats(training: ObservedOutcomes) -> None:
    similar = training.similar
    assert similar.horizon_days == 5 * YEAR
    assert similar.points[0].probability == pytest.approx(0.05)
    assert similar.points[-1].probability == pytest.approx(0.95)
    assert {point.patients for point in similar.points} == {45}


def test_no_identifier_is_kept(training: ObservedOutcomes, cohort: Cohort) -> None:
    text = json.dumps(asdict(training))
    assert not any(patient in text for patient in cohort.patients["patient_id"])


def test_a_binary_endpoint_has_no_courses(cohort: Cohort, features: pd.DataFrame) -> None:
    refractory = np.repeat([0, 1], N // 2).astype(np.int8)
    odds = np.linspace(0, 1, N)
    predictions = Predictions("logistic", odds[None], np.zeros((1, N), int), odds[None, :, None], np.array([np.inf]))
    found = _observed_in_training(_group_courses(cohort, features, refractory), refractory, predictions)
    assert found.clinical_groups == ()
    assert found.similar.horizon_days is None
    own = _similar_patients(found, {None: 0.9})
    assert isinstance(own, SimilarPatients)
    assert own.observed["incidence"].tolist() == [1.0]


def row(features: pd.DataFrame, cohort: Cohort, level: float) -> tuple[Cohort, pd.DataFrame]:
    """The first patient alone, of a risk group and with nothing recorded beside it."""
    patients = cohort.patients.assign(high_risk=pd.array([None] * N, dtype="boolean"))
    return replace(cohort, patients=patients), features.iloc[[0]].assign(clinical__risk_group=level)


def test_a_patient_is_shown_the_course_of_the_group(
    training: ObservedOutcomes, features: pd.DataFrame, cohort: Cohort
) -> None:
    group = _group_course(training, *row(features, cohort, 2.0))
    assert isinstance(group, GroupCourse)
    assert (group.title, group.patients) == ("Recorded risk group: high", 100)
    assert list(group.curve) == ["days", "incidence", "low", "high"]


def test_a_missing_course_has_its_reason(training: ObservedOutcomes, features: pd.DataFrame, cohort: Cohort) -> None:
    assert "too few training patients" in str(_group_course(training, *row(features, cohort, 0.0)))
    assert "is unknown" in str(_group_course(training, *row(features, cohort, np.nan)))
    assert "was saved without" in str(_group_course(None, *row(features, cohort, 2.0)))


def test_the_nearest_point_is_found_and_what_lies_beyond_is_said(training: ObservedOutcomes) -> None:
    near = _similar_patients(training, {5 * YEAR: 0.5, YEAR: 0.1})
    far = _similar_patients(training, {5 * YEAR: 0.99})
    assert isinstance(near, SimilarPatients)
    assert isinstance(far, SimilarPatients)
    assert near.low < 0.5 < near.high
    assert (near.beyond, far.beyond) == (False, True)


def test_missing_likeness_has_its_reason(training: ObservedOutcomes) -> None:
    assert "was saved without" in str(_similar_patients(None, {5 * YEAR: 0.5}))
    assert "no prediction" in str(_similar_patients(training, {YEAR: 0.5}))
    few = ObservedOutcomes((), SimilarOutcomes(5 * YEAR, ()))
    assert "too few patients" in str(_similar_patients(few, {5 * YEAR: 0.5}))


def test_of_thousands_of_features_the_leading_ones_are_logged_and_the_others_summed() -> None:
    rng = np.random.default_rng(3)
    features = pd.DataFrame(rng.normal(size=(4, 300)) * np.arange(300), columns=[f"x{number}" for number in range(300)])
    alone = pd.Series("one", index=features.columns)
    found = Explanation(0.0, features, features.iloc[:, :1], features, features.sum(axis=1), alone)
    logged = _leading_features(found)
    assert logged.shape == (4, 201)
    assert {"x299", "x298", "other_features"} < set(logged.columns)
    assert "x0" not in logged
    np.testing.assert_allclose(logged.sum(axis=1), features.sum(axis=1))
