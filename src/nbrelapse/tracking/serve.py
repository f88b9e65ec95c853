"""MLflow's own page."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from nbrelapse.errors import InputError
from nbrelapse.tracking.store import default_uri, use_store


def serve(port: int) -> None:
    """Serve the tracking store's page on the loopback address until interrupted.

    Raises
    ------
    InputError
        The default store does not exist yet, or the server ended with an error.
    """
    uri = use_store(create=False)
    if uri == default_uri() and not Path(uri.removeprefix("sqlite:///")).exists():
        raise InputError(
            "there are no runs yet", file=uri.removeprefix("sqlite:///"), mend="train first: nbrelapse quickstart"
        )
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", uri, "--host", "127.0.0.1"]
    done = subprocess.run([*command, "--port", str(port)], check=False)
    if done.returncode > 0:
        raise InputError(f"MLflow's server ended with code {done.returncode}", mend="is the port in use? try --port")
