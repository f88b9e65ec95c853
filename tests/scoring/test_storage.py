from __future__ import annotations

import json
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import mlflow.models
import numpy as np
import pandas as pd
import pytest

import nbrelapse as nb
from nbrelapse.cohort import Cohort
from nbrelapse.errors import BundleError, InputError
from nbrelapse.mechanisms import FeatureTable, build_features, load_catalogue, with_gene_features
from nbrelapse.models.base import ModelState, RiskModel
from nbrelapse.models.families import create_model
from nbrelapse.models.linear import Cox
from nbrelapse.outcome import Outcome, make_outcome
from nbrelapse.scoring import Bundle, load_model, save_model, score, write_bundle
from nbrelapse.scoring.bundle import HORIZON_YEARS, _sealed
from nbrelapse.scoring.reading import _unpack_refits
from nbrelapse.scoring.scores import _score_features
from nbrelapse.scoring.storage import _pack_refits
from nbrelapse.simulation import simulate_cohort

FILES = [
    "MLmodel",
    "README.md",
    "requirements.txt",
    "python_env.yaml",
    "input_example.json",
    "serving_input_example.json",
    "data/manifest.json",
    "data/model.json",
    "data/model.ubj",
    "data/baseline.json",
    "data/references.json",
    "data/catalogue.json",
    "data/refits.zip",
]


@pytest.fixture
def folder(bundles: dict[str, Bundle], tmp_path: Path) -> Path:
    return write_bundle(bundles["boosted"], tmp_path / "model")


def reseal(folder: Path, change: Callable[[dict[str, object]], object]) -> None:
    """Change the manifest as somebody would who knows how it is sealed."""
    file = folder / "data" / "manifest.json"
    manifest = json.loads(file.read_text(encoding="utf-8"))
    change(manifest)
    file.write_text(_sealed(manifest), encoding="utf-8")


@pytest.mark.parametrize("family", ["cox", "boosted", "forest", "blend"])
def test_what_was_saved_is_loaded_to_the_last_bit(
    bundles: dict[str, Bundle], training: tuple[pd.DataFrame, np.ndarray], tmp_path: Path, family: str
) -> None:
    saved = bundles[family]
    loaded = load_model(write_bundle(saved, tmp_path / "model"))
    pd.testing.assert_frame_equal(_score_features(loaded, training[0]), _score_features(saved, training[0]), rtol=0)
    pd.testing.assert_frame_equal(loaded.schema, saved.schema, rtol=0)
    np.testing.assert_array_equal(loaded.log_risk_quantiles, saved.log_risk_quantiles)
    assert (loaded.endpoint, loaded.training, loaded.card) == (saved.endpoint, saved.training, saved.card)
    assert loaded.catalogue == saved.catalogue
    assert len(loaded.refits) == len(saved.refits) == 8
    reference = loaded.references["clinical_cox"].predict_log_risk(training[0])
    np.testing.assert_array_equal(reference, saved.references["clinical_cox"].predict_log_risk(training[0]))


@pytest.mark.parametrize("family", ["cox", "boosted", "forest", "blend"])
def test_another_process_scores_the_same(
    bundles: dict[str, Bundle], training: tuple[pd.DataFrame, np.ndarray], tmp_path: Path, family: str
) -> None:
    write_bundle(bundles[family], tmp_path / "model")
    training[0].to_parquet(tmp_path / "features.parquet")
    code = (
        "import pandas as pd; from nbrelapse.scoring import load_model\n"
        "from nbrelapse.scoring.scores import _score_features\n"
        "_score_features(load_model('model'), pd.read_parquet('features.parquet')).to_parquet('scores.parquet')"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
    elsewhere = pd.read_parquet(tmp_path / "scores.parquet")
    here = _score_features(bundles[family], training[0])
    pd.testing.assert_frame_equal(elsewhere, here, rtol=0, atol=1e-9, check_dtype=False)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("place", [0.02, 0.5, 0.98])
def test_a_changed_byte_is_refused_wherever_it_is(folder: Path, name: str, place: float) -> None:
    content = bytearray((folder / name).read_bytes())
    content[int(place * len(content))] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(BundleError):
        load_model(folder)


def test_the_files_that_are_tampered_with_are_all_there_are(folder: Path) -> None:
    assert {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()} == set(FILES)


@pytest.mark.parametrize("name", [name for name in FILES if name not in ("MLmodel", "data/manifest.json")])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(BundleError, match=f"lacks the file {name}"):
        load_model(folder)


@pytest.mark.parametrize("name", ["data/extra.json", "data/deep/model.pkl", "code.py", "data/second.ubj"])
def test_a_file_that_is_not_listed_is_named(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("x")
    with pytest.raises(BundleError, match=f"does not list: {name}"):
        load_model(folder)


def test_a_link_is_refused_even_to_the_same_content(folder: Path, tmp_path: Path) -> None:
    original = folder / "data" / "model.json"
    moved = original.rename(tmp_path / "model.json")
    original.symlink_to(moved)
    with pytest.raises(BundleError, match=r"link.*data/model\.json"):
        load_model(folder)


def test_a_listed_file_outside_the_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")

    def escape(manifest: dict[str, object]) -> None:
        manifest["files"]["../secret"] = "0" * 64  # type: ignore[index]

    reseal(folder, escape)
    with pytest.raises(BundleError, match=r"lacks the file \.\./secret"):
        load_model(folder)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("loader_module: nbrelapse.scoring.pyfunc", "loader_module: mlflow.pyfunc.model"),
        ("loader_module: nbrelapse.scoring.pyfunc", "code: code\n    loader_module: nbrelapse.scoring.pyfunc"),
        ("data: data", "data: /etc"),
        ("flavors:\n", "flavors:\n  sklearn: {pickled_model: model.pkl}\n"),
    ],
)
def test_a_foreign_loader_is_refused_before_the_manifest_is_read(folder: Path, ours: str, theirs: str) -> None:
    description = (folder / "MLmodel").read_text()
    assert ours in description
    (folder / "MLmodel").write_text(description.replace(ours, theirs))
    (folder / "data" / "manifest.json").unlink()
    with pytest.raises(BundleError, match="asks to be loaded by"):
        load_model(folder)


def test_a_newer_format_asks_for_an_upgrade(folder: Path) -> None:
    reseal(folder, lambda manifest: manifest.update(format_version=2, nbrelapse_version="9.0"))
    with pytest.raises(BundleError, match=r"nbrelapse 9\.0.*upgrade"):
        load_model(folder)


@pytest.mark.parametrize("missing", ["endpoint", "features", "training", "files"])
def test_a_manifest_without_its_keys_is_a_damaged_model(folder: Path, missing: str) -> None:
    reseal(folder, lambda manifest: manifest.pop(missing))
    with pytest.raises(BundleError):
        load_model(folder)


def test_mlflow_may_leave_its_note_of_a_registered_model(folder: Path) -> None:
    (folder / "registered_model_meta").write_text("model_name: nb\nmodel_version: '1'\n")
    assert load_model(folder).model.family == "boosted"


def test_a_link_to_the_whole_folder_is_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "latest").symlink_to(folder)
    assert load_model(tmp_path / "latest").model.family == "boosted"


def test_what_is_no_model_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such model"):
        load_model(tmp_path / "nothing")
    with pytest.raises(BundleError, match="no MLmodel"):
        load_model(tmp_path)
    (tmp_path / "MLmodel").write_text("[not, a, mapping]")
    with pytest.raises(BundleError, match="cannot be read"):
        load_model(tmp_path)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_the_files_are_data_and_nothing_else(bundles: dict[str, Bundle], tmp_path: Path) -> None:
    beside = {"MLmodel", "README.md", "requirements.txt", "python_env.yaml"}
    beside |= {"input_example.json", "serving_input_example.json"}
    data = {"manifest", "model", "baseline", "references", "catalogue"}
    names = beside | {f"data/{name}.json" for name in data} | {"data/refits.zip"}
    assert set(contents(write_bundle(bundles["cox"], tmp_path / "cox"))) == names
    assert set(contents(write_bundle(bundles["boosted"], tmp_path / "boosted"))) == names | {"data/model.ubj"}


@pytest.mark.parametrize("family", ["cox", "boosted", "forest", "blend"])
def test_the_same_model_gives_the_same_bytes_however_often_it_is_loaded(
    bundles: dict[str, Bundle], tmp_path: Path, family: str
) -> None:
    first = write_bundle(bundles[family], tmp_path / "first")
    second = write_bundle(load_model(first), tmp_path / "second")
    assert contents(first) == contents(second)


def test_mlflow_reads_the_description(bundles: dict[str, Bundle], tmp_path: Path) -> None:
    description = mlflow.models.Model.load(str(write_bundle(bundles["cox"], tmp_path / "model")))
    assert description.flavors["python_function"]["loader_module"] == "nbrelapse.scoring.pyfunc"
    # With inputs in the signature MLflow drops columns it does not know before the model can refuse them.
    assert description.get_input_schema() is None
    assert description.metadata["features"] == list(bundles["cox"].schema.index)
    assert "log_risk" in description.get_output_schema().input_names()


def test_the_manifest_says_what_the_model_is(bundles: dict[str, Bundle], tmp_path: Path) -> None:
    folder = write_bundle(bundles["cox"], tmp_path / "model")
    manifest = json.loads((folder / "data" / "manifest.json").read_text())
    assert (manifest["endpoint"], manifest["family"], manifest["refits"]) == ("relapse", "cox", 8)
    assert manifest["training"]["patients"] == 160
    assert manifest["followed_days"] == 1500.0
    assert set(manifest["files"]) == set(contents(folder)) - {"data/manifest.json"}
    assert not any("patient-" in text.decode(errors="ignore") for text in contents(folder).values())


def test_a_folder_that_is_there_is_kept_unless_it_may_be_replaced(bundles: dict[str, Bundle], tmp_path: Path) -> None:
    target = write_bundle(bundles["cox"], tmp_path / "model")
    with pytest.raises(InputError, match="there already"):
        write_bundle(bundles["boosted"], target)
    assert load_model(target).model.family == "cox"
    write_bundle(bundles["boosted"], target, overwrite=True)
    assert load_model(target).model.family == "boosted"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_only_a_saved_model_is_ever_replaced(bundles: dict[str, Bundle], tmp_path: Path) -> None:
    precious = tmp_path / "thesis"
    precious.mkdir()
    (precious / "chapter.tex").write_text("text")
    with pytest.raises(InputError, match="not a saved model"):
        write_bundle(bundles["cox"], precious, overwrite=True)
    assert (precious / "chapter.tex").read_text() == "text"


def test_a_failure_leaves_the_old_model_and_nothing_half_written(
    bundles: dict[str, Bundle], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = write_bundle(bundles["boosted"], tmp_path / "model")

    def fail(model: Cox) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Cox, "state", fail)
    with pytest.raises(InputError, match="No space left"):
        write_bundle(bundles["cox"], target, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert load_model(target).model.family == "boosted"


STATES = [
    ModelState({"family": "boosted", "offset": 0.1 + 0.2 * number}, {"model.ubj": bytes([number])})
    for number in range(12)
]


def test_states_come_back_in_their_order() -> None:
    assert _unpack_refits(_pack_refits(STATES)) == STATES
    assert _unpack_refits(_pack_refits([])) == []


def test_the_bytes_do_not_depend_on_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    first = _pack_refits(STATES)
    later = time.time() + 1e6
    monkeypatch.setattr(time, "time", lambda: later)
    assert _pack_refits(STATES) == first


def test_what_is_no_archive_is_refused() -> None:
    with pytest.raises(zipfile.BadZipFile, match="not a zip file"):
        _unpack_refits(b"{}")


COLUMNS = ("mycn__amplified", "instability__loss_11q", "cell_state__adrn_minus_mes", "clinical__log2_age")
Fitted = tuple[RiskModel, FeatureTable, Outcome]


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return simulate_cohort(150, 8)


@pytest.fixture(scope="module")
def fitted(cohort: Cohort) -> Fitted:
    """A Cox model of relapse on four features of the patients with an outcome."""
    table, outcome = build_features(cohort), make_outcome(cohort, "relapse", unspecified="censor")
    model = create_model("cox", columns=COLUMNS, penalty=0.05)
    return model.fit(table.values.loc[outcome.patient_ids], outcome.y), table, outcome


def test_a_model_scores_as_it_predicted_before_it_was_saved(fitted: Fitted, cohort: Cohort, tmp_path: Path) -> None:
    model, table, outcome = fitted
    folder = nb.save_model(model, tmp_path / "m", cohort=cohort, X=table, y=outcome, refits=4, seed=2)
    scores = nb.score(nb.load_model(folder), cohort).set_index("patient_id")
    scored = scores["log_risk"].notna()
    assert scored.mean() > 0.9
    np.testing.assert_array_equal(scores["log_risk"][scored], model.predict_log_risk(table.values)[scored])
    times = np.array(HORIZON_YEARS) * 365.25
    _, incidence = model.predict_risk(table.values, times)
    for column, years in enumerate(HORIZON_YEARS):
        np.testing.assert_array_equal(scores[f"incidence_{years}y"][scored], incidence[scored, column])
    assert (scores["log_risk_low"] < scores["log_risk_high"])[scored].all()


def test_the_bundle_says_what_it_was_trained_on_and_that_nothing_was_validated(
    fitted: Fitted, cohort: Cohort, tmp_path: Path
) -> None:
    model, table, outcome = fitted
    bundle = nb.load_model(nb.save_model(model, tmp_path / "m", cohort=cohort, X=table, y=outcome, refits=2))
    training = bundle.training
    assert (bundle.endpoint, len(bundle.refits), list(bundle.schema.index)) == ("relapse", 2, list(COLUMNS))
    assert (training.cohort, training.patients) == (cohort.name, len(outcome.y))
    assert training.events == int((outcome.y["event"] == 1).sum())
    assert (training.unspecified, training.validated, training.experiment) == ("censor", False, None)
    assert "Not validated" in bundle.card
    assert "not validated" in repr(bundle)
    assert set(bundle.catalogue.features) < set(table.catalogue.features)


def test_features_and_outcome_come_from_the_cohort_where_they_are_not_given(
    fitted: Fitted, cohort: Cohort, tmp_path: Path
) -> None:
    model, table, outcome = fitted
    built = nb.save_model(model, tmp_path / "built", cohort=cohort, y=outcome, refits=2)
    given = nb.save_model(model, tmp_path / "given", cohort=cohort, X=table, y=outcome, refits=2)
    assert (built / "data" / "manifest.json").read_bytes() == (given / "data" / "manifest.json").read_bytes()
    made = nb.load_model(nb.save_model(model, tmp_path / "made", cohort=cohort, endpoint="relapse", refits=0))
    assert made.training.patients == len(make_outcome(cohort, "relapse").y)


def test_without_refits_there_are_scores_and_no_bands(fitted: Fitted, cohort: Cohort, tmp_path: Path) -> None:
    model, table, outcome = fitted
    X = table.values.loc[outcome.patient_ids]
    folder = nb.save_model(model, tmp_path / "m", X=X, y=outcome.y, endpoint="relapse", refits=0)
    scores = nb.score(folder, cohort)
    assert scores["log_risk"].notna().any()
    assert scores[["log_risk_low", "log_risk_high", "incidence_1y_low", "incidence_1y_high"]].isna().all(axis=None)


def test_a_bundle_is_written_as_it_is(bundles: dict[str, Bundle], tmp_path: Path) -> None:
    folder = nb.save_model(bundles["cox"], tmp_path / "m")
    assert nb.load_model(folder).training == bundles["cox"].training
    with pytest.raises(InputError, match="the folder is there already"):
        nb.save_model(bundles["cox"], folder)
    nb.save_model(bundles["cox"], folder, overwrite=True)


def test_a_binary_model_keeps_its_rule(tmp_path: Path) -> None:
    cohort = simulate_cohort(200, 3)
    table, outcome = build_features(cohort), make_outcome(cohort, "refractory", progressive="exclude")
    model = create_model("logistic", binary=True, columns=COLUMNS, penalty=0.05, calibration_folds=0)
    model.fit(table.values.loc[outcome.patient_ids], outcome.y)
    bundle = nb.load_model(nb.save_model(model, tmp_path / "m", X=table, y=outcome, refits=2))
    assert bundle.training.progressive == "exclude"
    assert bundle.training.events == int(outcome.y.sum())


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({}, "the training features are not known"),
        ({"X": "table"}, "the outcome that the model was trained on is not known"),
        ({"X": "values", "y": "array"}, "the outcome that the model was trained on is not known"),
        ({"X": "values", "y": "array", "endpoint": "relapse"}, "150 rows of features, but outcomes of"),
        ({"X": "values", "y": "outcome", "endpoint": "os"}, "the outcome is of the endpoint 'relapse'"),
        ({"X": "few", "y": "outcome"}, "patients with an outcome have no row in X"),
        ({"X": "narrow", "y": "outcome"}, "the training features lack what the model reads: mycn__amplified"),
        ({"X": "values", "y": "outcome", "catalogue": "other"}, "the catalogue does not know what the model reads"),
        ({"X": "values", "y": "outcome", "refits": -1}, "illegal number of refits -1"),
        ({"X": "values", "y": "yes or no", "endpoint": "refractory"}, "the model is of a time to an event"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_what_is_missing_or_does_not_fit_is_refused(
    fitted: Fitted, tmp_path: Path, given: dict[str, object], problem: str
) -> None:
    model, table, outcome = fitted
    things = {
        "table": table,
        "values": table.values,
        "few": table.values.iloc[:20],
        "narrow": table.values.drop(columns="mycn__amplified"),
        "array": outcome.y[:-1],
        "outcome": outcome,
        "other": load_catalogue().subset(["mycn__amplified"]),
        "yes or no": np.zeros(len(table.values), dtype=np.int8),
    }
    arguments = {name: things.get(str(value), value) if name != "endpoint" else value for name, value in given.items()}
    with pytest.raises(InputError, match=problem):
        nb.save_model(model, tmp_path / "m", **arguments)  # type: ignore[arg-type]
    assert not (tmp_path / "m").exists()


def test_an_unfitted_model_is_refused(fitted: Fitted, tmp_path: Path) -> None:
    _, table, outcome = fitted
    with pytest.raises(InputError, match="the model is not fitted"):
        nb.save_model(create_model("cox"), tmp_path / "m", X=table, y=outcome)


def test_no_identifier_is_saved(fitted: Fitted, tmp_path: Path) -> None:
    model, table, outcome = fitted
    folder = nb.save_model(model, tmp_path / "m", X=table, y=outcome, refits=0)
    texts = [file.read_text(encoding="utf-8", errors="ignore") for file in folder.rglob("*") if file.is_file()]
    assert not any(f'"{patient}"' in text for patient in outcome.patient_ids for text in texts)


def test_a_patient_is_explained_without_refits(fitted: Fitted, cohort: Cohort, tmp_path: Path) -> None:
    from nbrelapse.scoring.explain import ExplainRequest, explain_cohort

    model, table, outcome = fitted
    bundle = nb.load_model(nb.save_model(model, tmp_path / "m", X=table, y=outcome, refits=0))
    found = explain_cohort(bundle, cohort, tmp_path / "out", ExplainRequest(patient=str(cohort.patient_ids[0])))
    assert found.patient_report is not None
    page = found.patient_report.read_text(encoding="utf-8")
    assert "(no band)" in page
    assert "95% of the refits: " not in page
    assert "nan%" not in page


def test_a_model_that_reads_single_genes_is_loaded_and_scores(tmp_path: Path) -> None:
    cohort = simulate_cohort(120, seed=3)
    assert cohort.expression is not None
    sets = {"HALLMARK_P53_PATHWAY": ["MDM2", "HLA-A", "C11orf95"]}
    catalogue = with_gene_features(load_catalogue(), sets, cohort.expression.index)
    X, y = build_features(cohort, catalogue, sets), make_outcome(cohort, "relapse")
    genes = [name for name in X.columns if "__gene_" in name]
    assert genes == ["p53__gene_MDM2", "p53__gene_HLA-A", "p53__gene_C11orf95"]
    own = X.values[["clinical__age_over_18_months", *genes]]
    model = Cox(penalty=0.001).fit(own, y)
    folder = save_model(model, tmp_path / "m", cohort=cohort, X=own, y=y, catalogue=catalogue, gene_sets=sets, refits=0)
    loaded = load_model(folder)
    assert set(genes) <= set(loaded.schema.index)
    assert score(loaded, cohort)["log_risk"].notna().any()
