"""A row never vanishes: MLflow's loader gives a row a row, or says what is wrong with the columns."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from nbrelapse.errors import InputError
from nbrelapse.mechanisms import load_catalogue
from nbrelapse.scoring import Bundle, write_bundle
from nbrelapse.scoring.scores import _score_features

# MLflow warns of its own type hints while it is imported.
pytestmark = pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning")

Predict = Callable[[Any], pd.DataFrame]
OLDER = Path(__file__).parent / "bundles" / "catalogue_1"


@pytest.fixture(scope="module")
def folder(bundles: dict[str, Bundle], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(bundles["cox"], tmp_path_factory.mktemp("pyfunc") / "model")


@pytest.fixture(scope="module")
def predict(folder: Path) -> Predict:
    import mlflow.pyfunc

    return mlflow.pyfunc.load_model(str(folder)).predict


@pytest.fixture(scope="module")
def older() -> tuple[Predict, pd.DataFrame]:
    """A model whose signature MLflow enforces, and a table for it."""
    import mlflow.pyfunc

    features = pd.read_csv(f"{OLDER}_features.csv", index_col="patient_id")
    names = [column["name"] for column in json.loads(_description(OLDER)["signature"]["inputs"])]
    return mlflow.pyfunc.load_model(str(OLDER)).predict, features[names]


def _description(folder: Path) -> dict[str, Any]:
    return dict(yaml.safe_load((folder / "MLmodel").read_text()))


@pytest.mark.parametrize("family", ["cox", "boosted", "forest", "blend"])
def test_mlflow_gives_the_same_scores(
    bundles: dict[str, Bundle], training: tuple[pd.DataFrame, np.ndarray], tmp_path: Path, family: str
) -> None:
    import mlflow.pyfunc

    model = mlflow.pyfunc.load_model(str(write_bundle(bundles[family], tmp_path / "model")))
    features = training[0]
    expected = _score_features(bundles[family], features)
    pd.testing.assert_frame_equal(model.predict(features), expected, rtol=0, atol=0)
    shuffled = features[features.columns[::-1]].sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(model.predict(shuffled), expected.loc[shuffled.index], rtol=0, atol=0)


def test_a_column_that_is_not_there_counts_as_not_assayed(
    bundles: dict[str, Bundle], training: tuple[pd.DataFrame, np.ndarray], predict: Predict
) -> None:
    features = training[0]
    expected = _score_features(bundles["cox"], features.assign(mycn__amplified=np.nan))
    pd.testing.assert_frame_equal(predict(features.drop(columns="mycn__amplified")), expected, rtol=0, atol=0)


def test_other_forms_of_the_same_patients_get_the_same_scores(
    training: tuple[pd.DataFrame, np.ndarray], folder: Path, predict: Predict
) -> None:
    names = _description(folder)["metadata"]["features"]
    features = training[0][names].head(5)
    expected = predict(features).reset_index(drop=True)
    for form in (
        features.to_numpy(),
        features.to_numpy().tolist(),
        features.to_dict("records"),
        features.to_dict("list"),
        features.astype(object).where(features.notna(), None).to_dict("records"),
    ):
        pd.testing.assert_frame_equal(predict(form), expected, rtol=0, atol=0)
    pd.testing.assert_frame_equal(predict(features.iloc[0]), predict(features.head(1)).rename_axis(None), rtol=0)
    pd.testing.assert_frame_equal(predict(features.iloc[0].to_dict()), expected.head(1), rtol=0, atol=0)


def test_rows_keep_their_order_their_index_and_their_patient(
    training: tuple[pd.DataFrame, np.ndarray], predict: Predict
) -> None:
    features = training[0].head(4).set_axis(["d", "a", "a", "c"])
    assert predict(features).index.tolist() == ["d", "a", "a", "c"]
    table = features.rename_axis("patient_id").reset_index()
    found = predict(table)
    assert found["patient_id"].tolist() == ["d", "a", "a", "c"]
    assert found.columns[0] == "patient_id"
    assert found.index.tolist() == [0, 1, 2, 3]
    nothing = predict(features * np.nan)
    assert len(nothing) == 4
    assert nothing["log_risk"].isna().all()
    assert predict(features.head(0)).shape == (0, nothing.shape[1])


def test_nullable_columns_are_numbers(training: tuple[pd.DataFrame, np.ndarray], predict: Predict) -> None:
    features = training[0].head(3).assign(mycn__amplified=[1.0, np.nan, 0.0])
    expected = predict(features)
    for values in (
        pd.array([1, None, 0], dtype="Int64"),
        pd.array([True, None, False], dtype="boolean"),
        pd.Series([True, None, 0], dtype=object, index=features.index),
    ):
        pd.testing.assert_frame_equal(predict(features.assign(mycn__amplified=values)), expected, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda X: pd.DataFrame([{"MYCN": 1}, {"MYCN": 0}]), ["column: MYCN", "mycn__amplified"]),
        (lambda X: X.rename(columns={"mycn__amplified": "mycn__amplifed"}), ["mycn__amplifed", "mycn__amplified"]),
        (lambda X: X.rename(columns={"instability__loss_11q": "loss_11q"}), ["loss_11q", "instability__loss_11q"]),
        (lambda X: X.rename(columns=str.upper), ["4 of 4 columns are no features"]),
        (lambda X: X.assign(notes="seen"), ["column: notes", "leave these columns out"]),
        (lambda X: pd.DataFrame(X.to_numpy()), ["column: 0, 1, 2, 3"]),
        (lambda X: X[[]], ["no column is a feature"]),
        (lambda X: pd.DataFrame({"patient_id": ["a", "b"]}), ["no column is a feature"]),
        (lambda X: X.to_numpy()[:, :3], ["shape (3, 3)", "4 columns"]),
        (lambda X: X.to_numpy()[0], ["shape (4,)"]),
        (lambda X: pd.concat([X, X[["mycn__amplified"]]], axis=1), ["more than once", "mycn__amplified"]),
        (lambda X: X.assign(mycn__amplified=["yes", "no", None]), ["not a number", "mycn__amplified", "rows: 1, 2"]),
    ],
)
def test_what_cannot_be_read_is_an_error_that_names_it(
    training: tuple[pd.DataFrame, np.ndarray], predict: Predict, change: Callable[[pd.DataFrame], Any], words: list[str]
) -> None:
    with pytest.raises(InputError) as caught:
        predict(change(training[0].head(3)))
    for word in words:
        assert word in str(caught.value)


def test_features_that_the_model_does_not_read_are_no_mistake(
    training: tuple[pd.DataFrame, np.ndarray], predict: Predict
) -> None:
    features = training[0].head(3)
    found = predict(features.assign(alk__amplified=1.0))
    pd.testing.assert_frame_equal(found, predict(features), rtol=0, atol=0)


def test_a_model_of_an_earlier_version_loses_no_row(older: tuple[Predict, pd.DataFrame]) -> None:
    predict, features = older
    found = predict(features.head(6).iloc[::-1])
    assert found.index.tolist() == features.index[:6][::-1].tolist()
    for unknown in (pd.DataFrame([{"MYCN": 1}, {"MYCN": 0}]), features.rename(columns=str.upper), features.to_numpy()):
        with pytest.raises(InputError, match="no column is a feature"):
            predict(unknown)


def test_what_is_missing_or_not_read_is_said_in_a_line_once(
    training: tuple[pd.DataFrame, np.ndarray], folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    import mlflow.pyfunc

    model = mlflow.pyfunc.load_model(str(folder))
    features = training[0].head(3)
    model.predict(features)
    assert caplog.messages == []
    unread = [name for name in load_catalogue().features if name not in features][:7]
    for _ in range(2):
        model.predict(features.drop(columns="mycn__amplified").assign(**dict.fromkeys(unread, 1.0)))
    assert caplog.messages == [
        "1 of 4 features of the model are not in the table and count as not assayed: mycn__amplified",
        f"7 of 10 columns are features that this model does not read: {', '.join(unread[:5])} and 2 more",
    ]


def test_a_table_of_other_columns_is_refused_in_few_words(
    training: tuple[pd.DataFrame, np.ndarray], predict: Predict
) -> None:
    others = {f"laboratory_value_{number}_{'x' * 200}": 1.0 for number in range(300)}
    with pytest.raises(InputError, match="300 of 304 columns are no features") as caught:
        predict(pd.concat([training[0].head(3), pd.DataFrame(others, index=training[0].index[:3])], axis=1))
    assert "and 295 more" in str(caught.value)
    assert max(map(len, str(caught.value).splitlines())) < 300


def test_mlflow_names_five_columns_that_an_older_model_does_not_read(
    older: tuple[Predict, pd.DataFrame], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("mlflow"), "propagate", True)
    predict, features = older
    others = pd.DataFrame({f"laboratory_value_{number:03d}": 1.0 for number in range(300)}, index=features.index)
    expected = predict(features)
    caplog.clear()
    pd.testing.assert_frame_equal(predict(pd.concat([features, others], axis=1)), expected, rtol=0, atol=0)
    names = ", ".join(others.columns[:5])
    assert f"300 columns are not read by the model: {names} and 295 more" in caplog.messages
