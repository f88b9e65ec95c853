"""What ``nbrelapse doctor`` looks at: libraries, store, disks, optional parts, and a small computation."""

from __future__ import annotations

import math
import platform
import shutil
import time
import warnings
from collections.abc import Iterator
from importlib import metadata, util
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from nbrelapse import __version__

if TYPE_CHECKING:
    from nbrelapse.tracking.health import StoreHealth

_State = Literal["fine", "note", "wrong"]
_LIBRARIES = ("mlflow", "numpy", "pandas", "pyarrow", "scikit-learn", "scikit-survival", "shap", "optuna")
_BOOSTING = ("xgboost-cpu", "xgboost")
_REINSTALL = "pip install --force-reinstall nbrelapse"
_EXTRAS = {
    "psycopg": ("for PostgreSQL as the store", 'pip install "nbrelapse[postgres]"'),
    "boto3": ("for artifacts in S3", 'pip install "nbrelapse[s3]"'),
    "distributed": ("for --executor dask", 'pip install "nbrelapse[dask]"'),
}
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_LEAST_FREE = 0.5
"""GiB below which a disk is too full for a training. A choice."""

_PATIENTS = 90
"""Of the self-test. A choice."""


class Finding(NamedTuple):
    """Something that was looked at: ``fix`` is None where there is nothing to do."""

    subject: str
    state: _State
    text: str
    fix: str | None = None


def check_health() -> list[Finding]:
    """Look at the installation, the store and the disks, and compute something small; nothing is changed.

    Passwords of addresses are not shown, and of patients nothing is read.

    Returns
    -------
    list of Finding
        ``state`` is ``wrong`` of what will stop a training, ``note`` of what some will want to know.

    Examples
    --------
    >>> [found.subject for found in check_health() if found.state == "wrong"]  # doctest: +SKIP
    []
    """
    return [*_versions(), *_store(), *_optional_parts(), _self_test()]


def _versions() -> Iterator[Finding]:
    yield Finding("nbrelapse", "fine", f"{__version__}, Python {platform.python_version()} on {platform.system()}")
    found = {name: _version(name) for name in _LIBRARIES}
    boosting = next((name for name in _BOOSTING if _version(name)), _BOOSTING[0])
    found[boosting] = _version(boosting)
    missing = [name for name, version in found.items() if version is None]
    if missing:
        yield Finding("libraries", "wrong", f"not installed: {', '.join(missing)}", _REINSTALL)
    installed = ", ".join(f"{name} {version}" for name, version in found.items() if version is not None)
    if installed:
        yield Finding("libraries", "fine", installed)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _store() -> Iterator[Finding]:
    from nbrelapse.tracking.health import store_health

    found = store_health()
    if found.problem is not None:
        can = " (it can be read)" if found.readable else ""
        yield Finding("store", "wrong", f"{found.address}: {found.problem}{can}", found.fix)
    elif found.exists is False:
        yield Finding("store", "note", f"{found.address}: not there yet", "the first training makes it")
    else:
        yield Finding("store", "fine", f"{found.address}: can be read and written to, schema is current")
    yield from _runs(found)
    if found.folder is not None:
        yield _disk("disk of the store", found.folder)
    yield _disk("disk of this folder", Path.cwd())


def _runs(found: StoreHealth) -> Iterator[Finding]:
    gone = [run for run in found.unended if run.gone]
    unknown = [run for run in found.unended if not run.gone]
    if gone:
        text = f"{len(gone)} of processes that are gone, the oldest {gone[0].run_id} of {gone[0].started:%Y-%m-%d}"
        yield Finding("runs", "note", text, "nothing to do: the next training closes them")
    if unknown:
        first = unknown[0]
        text = f"{len(unknown)} not ended after a day, the oldest {first.run_id} of {first.started:%Y-%m-%d}"
        end = f"mlflow.MlflowClient('{found.address}').set_terminated('{first.run_id}', 'KILLED')"
        yield Finding("runs", "note", text, f"where its training is gone, in Python: {end}")
    if found.readable and not found.unended:
        yield Finding("runs", "fine", "none that was left unended")


def _disk(subject: str, folder: Path) -> Finding:
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 2**30
    if free < _LEAST_FREE:
        return Finding(subject, "wrong", f"{free:.2f} GiB free", f"make room: {_LEAST_FREE} GiB at least")
    return Finding(subject, "fine", f"{free:.1f} GiB free")


def _optional_parts() -> Iterator[Finding]:
    for name, (use, fix) in _EXTRAS.items():
        if util.find_spec(name) is None:
            yield Finding(name, "note", f"absent; {use}", fix)
        else:
            yield Finding(name, "fine", f"{_version(name) or 'present'}; {use}")
    browser = next((name for name in _BROWSERS if shutil.which(name)), None)
    if browser is None:
        yield Finding("chromium", "note", "absent; for tests of the pages", "apt-get install chromium")
    else:
        yield Finding("chromium", "fine", f"{browser}; for tests of the pages")


def _self_test() -> Finding:
    """Simulate patients, compute features, fit a model and score the patients with it."""
    start = time.perf_counter()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reached = _concordance()
    except Exception as error:
        text = f"failed: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}".rstrip(": ")
        return Finding("self-test", "wrong", text, _REINSTALL)
    if math.isnan(reached) or reached <= 0.5:
        return Finding(
            "self-test", "wrong", f"a model of simulated patients has a concordance of {reached}", _REINSTALL
        )
    took = time.perf_counter() - start
    return Finding("self-test", "fine", f"simulated, fitted and scored {_PATIENTS} patients in {took:.1f} s")


def _concordance() -> float:
    from nbrelapse.mechanisms import build_features
    from nbrelapse.models import create_model
    from nbrelapse.outcome import make_outcome
    from nbrelapse.simulation import simulate_cohort

    cohort = simulate_cohort(_PATIENTS, seed=1)
    features, outcome = build_features(cohort), make_outcome(cohort, "relapse")
    return float(create_model("cox").fit(features, outcome).score(features, outcome))
