"""Reading saved models: what is checked without making a model of it, signatures, and what scoring need not import."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from nbrelapse.cohort import write_cohort
from nbrelapse.errors import BundleError, InputError
from nbrelapse.scoring import Bundle, check_model, load_model, save_model, write_bundle
from nbrelapse.scoring.bundle import _sealed
from nbrelapse.scoring.manifest import _read_json
from nbrelapse.scoring.scores import _percentile
from nbrelapse.simulation import simulate_cohort


def key_files(folder: Path, name: str, format: PrivateFormat = PrivateFormat.OpenSSH) -> tuple[Path, Path]:
    """Write a private key and a keyring of its public key."""
    key = Ed25519PrivateKey.generate()
    private, public = folder / name, folder / f"{name}.pub"
    private.write_bytes(key.private_bytes(Encoding.PEM, format, NoEncryption()))
    line = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    public.write_text(f"{line} {name} of the ward\n")
    return private, public


def change_manifest(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    file = folder / "data" / "manifest.json"
    manifest = json.loads(file.read_text())
    change(manifest)
    file.write_text(_sealed(manifest))


def test_a_checked_model_says_what_it_is(bundles: dict[str, Bundle], tmp_path: Path) -> None:
    found = check_model(write_bundle(bundles["boosted"], tmp_path / "model"))
    assert (found.endpoint, found.family, found.refits, found.features) == ("relapse", "boosted", 8, 4)
    assert (found.signed_by, found.signer) == (None, None)
    lines = str(found).splitlines()
    assert lines[0].startswith("Boosted trees (boosted), endpoint relapse")
    assert "trained on 160 patients" in lines[1]
    assert lines[2].startswith("whole: all 13 files")
    assert lines[3].startswith("not signed")


def test_checking_trees_needs_no_xgboost_and_no_mlflow(bundles: dict[str, Bundle], tmp_path: Path) -> None:
    folder = write_bundle(bundles["blend"], tmp_path / "model")
    code = (
        "import sys; from nbrelapse.scoring import check_model; check_model(sys.argv[1]); "
        "print([name for name in ('xgboost', 'mlflow', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_scoring_a_folder_imports_neither_mlflow_nor_matplotlib(bundles: dict[str, Bundle], tmp_path: Path) -> None:
    folder = write_bundle(bundles["boosted"], tmp_path / "model")
    write_cohort(simulate_cohort(20, seed=1), tmp_path / "cohort")
    code = (
        "import sys; from nbrelapse.cli import app\n"
        "try: app(['score', sys.argv[1], sys.argv[2], '--out', sys.argv[3]])\n"
        "except SystemExit: pass\n"
        "print([name for name in ('mlflow', 'matplotlib', 'optuna', 'shap') if name in sys.modules])"
    )
    command = [sys.executable, "-c", code, folder, tmp_path / "cohort", tmp_path / "scores.csv"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert (tmp_path / "scores.csv").is_file()


@pytest.mark.parametrize("format", [PrivateFormat.OpenSSH, PrivateFormat.PKCS8])
def test_a_signed_model_is_trusted_by_who_has_the_key(
    bundles: dict[str, Bundle], tmp_path: Path, format: PrivateFormat
) -> None:
    private, public = key_files(tmp_path, "ada", format)
    folder = write_bundle(bundles["cox"], tmp_path / "model", sign=private)
    assert load_model(folder, trust=public).model.family == "cox"
    found = check_model(folder, trust=public)
    assert found.signer == "ada of the ward"
    assert str(found).splitlines()[3] == f"signed by ada of the ward ({found.signed_by})"
    unasked = check_model(folder)
    assert (unasked.signed_by, unasked.signer) == (found.signed_by, None)
    assert "only a keyring can tell" in str(unasked)


def test_a_model_of_a_stranger_or_of_nobody_is_refused_where_trust_is_asked(
    bundles: dict[str, Bundle], tmp_path: Path
) -> None:
    ada, _ = key_files(tmp_path, "ada")
    _, eve = key_files(tmp_path, "eve")
    with pytest.raises(BundleError, match=r"signed by a key that the keyring does not hold: SHA256:") as refused:
        load_model(write_bundle(bundles["cox"], tmp_path / "signed", sign=ada), trust=eve)
    assert refused.value.expected == "eve of the ward"
    with pytest.raises(BundleError, match="the model is not signed"):
        load_model(write_bundle(bundles["cox"], tmp_path / "unsigned"), trust=eve)


def test_a_forgery_that_is_sealed_again_is_refused(bundles: dict[str, Bundle], tmp_path: Path) -> None:
    private, public = key_files(tmp_path, "ada")
    folder = write_bundle(bundles["cox"], tmp_path / "model", sign=private)
    change_manifest(folder, lambda manifest: manifest["features"][0].update(importance=9.0))
    for trust in (public, None):
        with pytest.raises(BundleError, match="it was changed after it was signed"):
            load_model(folder, trust=trust)
    change_manifest(folder, lambda manifest: manifest.pop("signature"))
    load_model(folder)  # without its signature it is an unsigned model
    with pytest.raises(BundleError, match="not signed"):
        load_model(folder, trust=public)


def test_a_signature_of_another_model_does_not_count(bundles: dict[str, Bundle], tmp_path: Path) -> None:
    private, public = key_files(tmp_path, "ada")
    first = write_bundle(bundles["cox"], tmp_path / "first", sign=private)
    signature = json.loads((first / "data" / "manifest.json").read_text())["signature"]
    second = write_bundle(bundles["forest"], tmp_path / "second")
    change_manifest(second, lambda manifest: manifest.update(signature=signature))
    with pytest.raises(BundleError, match="signature is not of this model"):
        load_model(second, trust=public)


@pytest.mark.parametrize(
    "signature", [None, "x", [], {}, {"public_key": 1, "signature": "x"}, {"public_key": "ssh-rsa A"}]
)
def test_what_is_no_signature_is_refused(bundles: dict[str, Bundle], tmp_path: Path, signature: object) -> None:
    _, public = key_files(tmp_path, "ada")
    folder = write_bundle(bundles["cox"], tmp_path / "model")
    change_manifest(folder, lambda manifest: manifest.update(signature=signature))
    with pytest.raises(BundleError, match=r"signature is not of this model|not signed"):
        load_model(folder, trust=public)


def test_a_key_that_cannot_sign_is_refused_before_anything_is_written(
    bundles: dict[str, Bundle], tmp_path: Path
) -> None:
    _, public = key_files(tmp_path, "ada")
    other = tmp_path / "other"
    pem = Encoding.PEM, PrivateFormat.PKCS8
    other.write_bytes(generate_private_key(SECP256R1()).private_bytes(*pem, NoEncryption()))
    locked = tmp_path / "locked"
    locked.write_bytes(Ed25519PrivateKey.generate().private_bytes(*pem, BestAvailableEncryption(b"word")))
    for key, told in ((public, "no private key"), (other, "no private key"), (locked, "no private key"),
                      (tmp_path / "none", "does not exist")):  # fmt: skip
        with pytest.raises(InputError, match=told):
            save_model(bundles["cox"], tmp_path / "model", sign=key)
        assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("text", "told"), [("", "holds no key"), ("# nobody\n", "holds no key"), ("\nssh-rsa AAAA x\n", "no public key")]
)
def test_a_keyring_that_is_none_is_refused(bundles: dict[str, Bundle], tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "ring").write_text(text)
    with pytest.raises(InputError, match=told):
        load_model(write_bundle(bundles["cox"], tmp_path / "model"), trust=tmp_path / "ring")


def test_mlflow_and_an_export_leave_the_signature_as_it_should_be(bundles: dict[str, Bundle], tmp_path: Path) -> None:
    private, public = key_files(tmp_path, "ada")
    first = write_bundle(bundles["cox"], tmp_path / "first", sign=private)
    copy = Path(shutil.copytree(first, tmp_path / "copy"))
    (copy / "registered_model_meta").write_text("model_name: x")
    assert load_model(copy, trust=public).model.family == "cox"
    again = write_bundle(load_model(first), tmp_path / "again")
    assert check_model(again).signed_by is None


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda manifest: manifest.update(endpoint="refractory"), "family"),
        (lambda manifest: manifest.update(family="forest"), "another family"),
        (lambda manifest: manifest["features"][0].update(low=5.0, high=1.0), "low is above high"),
        (lambda manifest: manifest["features"][0].update(observed=2.0), "observed"),
        (lambda manifest: manifest["features"].pop(), "other features"),
        (lambda manifest: manifest["features"].append(manifest["features"][0]), "twice"),
        (lambda manifest: manifest["features"][0].update(mechanism="p53"), "another mechanism"),
        (lambda manifest: manifest["training"].update(patients="many"), "patients"),
        (lambda manifest: manifest["training"].update(outcome={"events": 3}), "events"),
        (lambda manifest: manifest["training"].update(marks={"salt": "zz", "size": 8, "bits": "AA=="}), "salt"),
        (lambda manifest: manifest["training"].update(marks={"salt": "aa", "size": 800, "bits": "AA=="}), "bits"),
        (lambda manifest: manifest.update(refits=7), "8 refits"),
        (lambda manifest: manifest["bands"]["days"].reverse(), "do not ascend"),
        (lambda manifest: manifest["bands"]["risk"].pop(), "differ"),
        (lambda manifest: manifest["bands"]["variance"][0].__setitem__(0, -1.0), "variance"),
        (lambda manifest: manifest.update(gene_sets={"A": "TP53"}), "gene_sets"),
        (lambda manifest: manifest.update(nbrelapse_version=3), "nbrelapse_version"),
    ],
)  # fmt: skip
def test_a_manifest_that_contradicts_the_model_or_itself_is_refused(
    bundles: dict[str, Bundle], tmp_path: Path, change: Callable[[dict[str, Any]], object], told: str
) -> None:
    folder = write_bundle(bundles["cox"], tmp_path / "model")
    change_manifest(folder, change)
    with pytest.raises(BundleError, match=told) as refused:
        load_model(folder)
    assert refused.value.file == "data/manifest.json"
    assert refused.value.fix


@pytest.mark.parametrize(
    "text",
    ['{"a": NaN}', '{"a": -Infinity}', '{"a": 1e999}', '{"a": 1, "a": 2}', "[" * 100 + "]" * 100, "1" * 30, '"\\'],
)
def test_json_that_no_model_has_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not finite|twice|deeply|digits|Unterminated|Invalid"):
        _read_json(text.encode())


def test_json_comes_as_it_was_written() -> None:
    document = {"a": [1, -2.5e-300, None, True, "[[[["], "b": {"c": []}}
    assert _read_json(json.dumps(document).encode()) == document


def test_a_risk_that_is_not_known_has_no_percentile() -> None:
    found = _percentile(np.array([np.nan, 0.0, 9.0]), np.linspace(-1, 1, 101))
    np.testing.assert_array_equal(found, [np.nan, 50.0, 100.0])
