"""MLflow's own page."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from types import FrameType

from nbrelapse.errors import InputError
from nbrelapse.tracking.store import database_file, store_uri


def serve(port: int) -> None:
    """Serve the page of a SQLite store on the loopback address until interrupted.

    Parameters
    ----------
    port : int

    Raises
    ------
    InputError
        There is no store yet, the store is a server that has its own page, or the page cannot be served.
    """
    uri = store_uri(create=False)
    database = database_file(uri)
    if database is None and uri.startswith(("http://", "https://")):
        raise InputError("the store is a server, with a page of its own", file=uri, mend="open that address")
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", uri]
    if database is not None:
        command += ["--default-artifact-root", (database.resolve().parent / "artifacts").as_uri()]
    # A page for one person: one worker, and none of the jobs that a team's server runs in the background. MLflow itself
    # refuses requests that name another host.
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    environment = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", **os.environ}
    _refuse_a_busy_port(port)
    # As Ctrl-C, so that the server is not left behind.
    signal.signal(signal.SIGTERM, _interrupt)
    done = subprocess.run(command, check=False, env=environment)
    if done.returncode > 0:
        raise InputError(f"MLflow's server ended with code {done.returncode}", mend="name another port with --port")


def _refuse_a_busy_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise InputError(f"port {port} is in use", column="--port", mend="name another port") from None


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
