"""``nbrelapse ui``: look at the runs."""

from __future__ import annotations

from typing import Annotated

import typer


def ui(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on the loopback address.")] = 5000,
) -> None:
    """Start MLflow's page on the loopback address, on the tracking store in use; Ctrl-C ends it."""
    from nbrelapse.tracking.serve import serve

    serve(port)
