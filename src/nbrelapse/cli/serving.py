"""``nbrelapse serve``: a saved model as a web service."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer


def serve(
    model: Annotated[str, typer.Argument(help="A model folder, or an MLflow URI (models:/…, runs:/…).")],
    host: Annotated[str, typer.Option(help="Address; any but loopback needs --token-file.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes, which share one loaded model.")] = 1,
    token_file: Annotated[
        Path | None, typer.Option(help="A file with the token that requests must carry (Authorization: Bearer).")
    ] = None,
    allow_host: Annotated[
        list[str] | None, typer.Option(help="Name that requests may be for, of a proxy before this server; repeatable.")
    ] = None,
    max_patients: Annotated[int, typer.Option(min=1, help="Patients in a request.")] = 1000,
    max_mib: Annotated[float, typer.Option(min=0.001, help="MiB of a request's body.")] = 16.0,
    rate: Annotated[
        float, typer.Option(min=0, help="Requests a second of one client, a worker; 0 = any number.")
    ] = 50.0,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds until a request is given up.")] = 30.0,
    trust: Annotated[
        Path | None,
        typer.Option(help="Keyring: only a model that one of its keys signed is used; a line a key, as in .pub files."),
    ] = None,
) -> None:
    """Serve a saved model: scores and explanations for programs, and a page for one patient.

    The server answers on the loopback address and tells nobody. SIGINT (Ctrl-C), SIGTERM and SIGHUP end it: requests
    that run are answered; the exit code is 130 after SIGINT, else 0.
    """
    # Before the numeric libraries are loaded: workers are forked, which threads do not survive.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    import logging
    import signal

    from nbrelapse.scoring.reading import load_model
    from nbrelapse.serving.limits import Limits
    from nbrelapse.serving.server import check_address
    from nbrelapse.serving.server import serve as serve_model

    address = check_address(host, port, token_file, allow_host or ())
    bundle = load_model(model, trust=trust)
    limits = Limits(int(max_mib * 2**20), max_patients, rate, timeout)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    logging.getLogger("nbrelapse.serving").setLevel(logging.INFO)

    def ready() -> None:
        what = f"{bundle.model.family} model of {bundle.endpoint}"
        typer.echo(f"Serving the {what}, {workers} worker{'s' * (workers > 1)}: {address.url}")

    ended_by = serve_model(bundle, address, workers=workers, limits=limits, ready=ready)
    if ended_by == signal.SIGINT:
        raise typer.Exit(130)
