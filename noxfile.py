"""The tests with the oldest and the newest dependencies, and with every Python that is there."""

from __future__ import annotations

import nox

nox.options.default_venv_backend = "uv|virtualenv"
nox.options.download_python = "never"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
EXTRAS = ("dask", "postgres", "s3", "test")


def _install(session: nox.Session, *options: str) -> None:
    session.install(*options, "-e", f".[{','.join(EXTRAS)}]")


def _test(session: nox.Session) -> None:
    tests = ("pytest", "-n", "auto", "--dist", "loadfile", *session.posargs)
    session.run(*tests, env={"OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg"})


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Test with the newest dependencies that pyproject.toml allows."""
    _install(session, "--upgrade")
    _test(session)


@nox.session(python=PYTHONS[0], venv_backend="uv")
def lowest(session: nox.Session) -> None:
    """Test with the oldest dependencies that pyproject.toml allows, each as old as it promises."""
    _install(session, "--resolution", "lowest-direct")
    session.run("python", "tools/floors.py", *EXTRAS)
    _test(session)


@nox.session(venv_backend="none")
def checks(session: nox.Session) -> None:
    """Run lint, types and documentation, as .ci/run does."""
    session.run("make", "lint", "types", "docs", external=True)
