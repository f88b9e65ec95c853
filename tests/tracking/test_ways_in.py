"""A logged model by MLflow's own ways: predict, serve, evaluate and Spark, each in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from nbrelapse.metrics import harrell_c
from nbrelapse.scoring import write_bundle
from nbrelapse.scoring.scores import _score_features
from nbrelapse.tracking import DatasetRecord, ExperimentRecord, ModelRecord, log_experiment, open_store

if TYPE_CHECKING:
    from nbrelapse.scoring import Bundle


@dataclass(frozen=True)
class Logged:
    """A logged model in a store of its own, and patients with their scores."""

    folder: Path
    uri: str
    model: Path
    features: pd.DataFrame
    y: np.ndarray
    scores: pd.DataFrame

    @property
    def environment(self) -> dict[str, str]:
        """Of a shell in which the package is installed, and the store the current one."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        store = f"sqlite:///{self.folder / 'mlruns' / 'mlflow.db'}"
        return {
            **os.environ,
            "PATH": path,
            "MLFLOW_TRACKING_URI": store,
            "PYSPARK_PYTHON": sys.executable,
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }

    def run(self, *command: str) -> str:
        """Run Python to the end, in the folder; what it said on both streams."""
        done = subprocess.run(
            [sys.executable, *command], env=self.environment, cwd=self.folder, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def logged(
    bundles: dict[str, Bundle],
    training: tuple[pd.DataFrame, np.ndarray],
    tmp_path_factory: pytest.TempPathFactory,
    _empty_database: Path,
) -> Logged:
    folder = tmp_path_factory.mktemp("ways-in")
    (folder / "mlruns").mkdir()
    shutil.copyfile(_empty_database, folder / "mlruns" / "mlflow.db")
    bundle = bundles["cox"]
    model = ModelRecord(
        "cox", {}, {"c": 0.7}, lambda path, description: write_bundle(bundle, path, mlflow_model=description)
    )
    data = DatasetRecord("made-up", "f" * 64, 160, 80, tuple(bundle.schema.index))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        uri = log_experiment(ExperimentRecord("small", "", (data,), {}, {}, {}, (model,))).model_uris["cox"]
        location = open_store().get_logged_model(uri.removeprefix("models:/")).artifact_location
    X, y = training
    return Logged(folder, uri, Path(location.removeprefix("file://")), X, y, _score_features(bundle, X))


def test_mlflow_models_predict(logged: Logged) -> None:
    # A table as `nbrelapse features` writes it: a patient a row, with features that this model does not read.
    table = logged.features.head(5).drop(columns="instability__loss_11q").assign(alk__amplified=0.0)
    table.to_csv(logged.folder / "patients.csv")
    command = ["-m", "mlflow", "models", "predict", "-m", logged.uri, "--env-manager", "local"]
    said = logged.run(*command, "-i", "patients.csv", "-t", "csv", "-o", "predicted.json")
    rows = json.loads((logged.folder / "predicted.json").read_text())["predictions"]
    assert [row["patient_id"] for row in rows] == table.index.tolist()
    complete = table["clinical__log2_age"].notna() & logged.features["instability__loss_11q"].head(5).isna()
    for row, same, expected in zip(rows, complete, logged.scores["log_risk"], strict=False):
        if same:
            assert row["log_risk"] == pytest.approx(expected, rel=1e-9)
    assert "1 of 4 features of the model are not in the table and count as not assayed: instability__loss_11q" in said
    assert "1 of 4 columns are features that this model does not read: alk__amplified" in said


def test_mlflow_models_evaluate(logged: Logged) -> None:
    logged.features.to_csv(logged.folder / "features.csv")
    np.save(logged.folder / "outcome.npy", logged.y)
    said = logged.run("-c", EVALUATE, logged.uri)
    expected = harrell_c(logged.y, logged.scores["log_risk"].to_numpy())
    assert f"c = {expected:.12f}" in said
    assert "artifacts: []" in said
    # Neither the run nor its data hold a patient.
    assert not any(
        b"patient-1" in file.read_bytes() for file in (logged.folder / "mlruns").rglob("*") if file.is_file()
    )


EVALUATE = """
import sys
import mlflow
import numpy as np
import pandas as pd
from mlflow.models import make_metric
from nbrelapse.metrics import harrell_c

y = np.load("outcome.npy")
table = pd.read_csv("features.csv", index_col="patient_id")

def c(predictions, targets, metrics):
    return harrell_c(y[targets], predictions.to_numpy())

with mlflow.start_run() as run:
    found = mlflow.models.evaluate(
        sys.argv[1],
        table.assign(row=range(len(table))),
        targets="row",
        predictions="log_risk",
        extra_metrics=[make_metric(eval_fn=c, greater_is_better=True, name="c")],
    )
print(f"c = {found.metrics['c']:.12f}")
print("artifacts:", mlflow.MlflowClient().list_artifacts(run.info.run_id))
"""


def test_mlflow_models_serve(logged: Logged) -> None:
    records = logged.features.head(3).astype(object)
    records = records.where(records.notna(), None)
    with server(logged) as port:
        named = [{"patient_id": f"p{number}", **row} for number, row in enumerate(records.to_dict("records"))]
        answered = post(port, {"dataframe_records": named})["predictions"]
        assert [row["patient_id"] for row in answered] == ["p0", "p1", "p2"]
        expected = logged.scores["log_risk"].head(3)
        np.testing.assert_allclose([row["log_risk"] for row in answered], expected, rtol=1e-9)
        assert len(post(port, {"inputs": records.to_dict("records")})["predictions"]) == 3
        example = json.loads((logged.model / "serving_input_example.json").read_text())
        (row,) = post(port, example)["predictions"]
        assert (row["evidence"], row["missing_assays"], row["out_of_range_features"]) == (1.0, "", "")
        for payload in ({"dataframe_records": [{"MYCN": 1}]}, {"instances": [[0.0, 1.0]]}):
            with pytest.raises(urllib.error.HTTPError) as refused:
                post(port, payload)
            assert refused.value.code == 400
            assert "InputError" in refused.value.read().decode()


@contextmanager
def server(logged: Logged) -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", logged.uri, "--env-manager", "local"]
    with (logged.folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "-p", str(port)],
            env=logged.environment,
            cwd=logged.folder,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/ping")
                break
            except OSError:
                assert process.poll() is None, (logged.folder / "log").read_text()
                time.sleep(0.25)
        yield port
    finally:
        os.killpg(process.pid, 15)
        process.wait()


def post(port: int, payload: dict[str, Any]) -> Any:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/invocations", json.dumps(payload).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read())


@pytest.mark.skipif(find_spec("pyspark") is None, reason="pyspark is not installed: pip install pyspark (and Java)")
def test_spark_udf(logged: Logged) -> None:
    logged.features.to_csv(logged.folder / "features.csv")
    said = logged.run("-c", SPARK, logged.uri)
    # Of patients without a score Spark has NULL.
    expected = [None if np.isnan(value) else round(value, 9) for value in logged.scores["log_risk"].head(20)]
    assert f"log_risk: {expected}" in said


SPARK = """
import sys
import mlflow.pyfunc
import pandas as pd
from pyspark.sql import SparkSession
from pyspark.sql.functions import struct

table = pd.read_csv("features.csv", index_col="patient_id").head(20)
spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
scored = mlflow.pyfunc.spark_udf(spark, sys.argv[1], env_manager="local")
frame = spark.createDataFrame(table.reset_index(drop=True)).coalesce(1)
rows = frame.select(scored(struct(*table.columns)).alias("score")).select("score.log_risk").collect()
print("log_risk:", [None if row[0] is None else round(row[0], 9) for row in rows])
"""


def test_the_example_is_of_nobody_and_is_scored_in_full(
    logged: Logged, bundles: dict[str, Bundle], training: tuple[pd.DataFrame, np.ndarray]
) -> None:
    import mlflow.models

    description = mlflow.models.Model.load(str(logged.model))
    example = description.load_input_example(str(logged.model))
    assert list(example.columns) == description.metadata["features"]
    schema = bundles["cox"].schema
    expected = {"mycn__amplified": 0.0, "instability__loss_11q": 0.0}
    for name in ("cell_state__adrn_minus_mes", "clinical__log2_age"):
        expected[name] = (schema.loc[name, "low"] + schema.loc[name, "high"]) / 2
    assert example.iloc[0].to_dict() == pytest.approx(expected, rel=1e-12)
    assert not (training[0] == example.iloc[0]).all(axis=1).any()
    assert json.loads(description.get_serving_input(str(logged.model)))["dataframe_split"]["data"] == [
        example.iloc[0].tolist()
    ]
    scores = _score_features(bundles["cox"], example)
    assert scores["log_risk"].notna().all()
