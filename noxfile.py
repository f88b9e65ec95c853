"""The tests with the oldest and the newest dependencies, and with every Python that is there."""

from __future__ import annotations

import shutil

import nox

nox.options.default_venv_backend = "uv|virtualenv"
PYTHONS = [f"3.{minor}" for minor in range(11, 15) if shutil.which(f"python3.{minor}")]
TESTS = ("pytest", "-n", "auto", "--dist", "loadfile")


def _test(session: nox.Session, *options: str) -> None:
    session.install(*options, "-e", ".[dask,postgres,s3,test]")
    session.run(*TESTS, *session.posargs, env={"OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg"})


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Test with the newest dependencies that pyproject.toml allows."""
    _test(session, "--upgrade")


@nox.session(python=PYTHONS[:1], venv_backend="uv")
def lowest(session: nox.Session) -> None:
    """Test with the oldest dependencies that pyproject.toml allows."""
    _test(session, "--resolution", "lowest-direct")


@nox.session
def checks(session: nox.Session) -> None:
    """Run lint, types and documentation, as .ci/run does."""
    session.run("make", "lint", "types", "docs", external=True)
