"""The ``nbrelapse`` command: one module per group of commands, heavy imports only when a command runs."""

from __future__ import annotations

import gc
import io
import sys

import typer

from nbrelapse import __version__
from nbrelapse.cli.doctor import doctor
from nbrelapse.cli.ending import ending_by_signals
from nbrelapse.cli.features import features, mechanisms
from nbrelapse.cli.fetching import fetch
from nbrelapse.cli.help import _add_help
from nbrelapse.cli.merging import cohort_app
from nbrelapse.cli.models import evaluate, explain, export, score, verify
from nbrelapse.cli.registry import models, promote, register
from nbrelapse.cli.results import compare, ui
from nbrelapse.cli.serving import serve
from nbrelapse.cli.training import quickstart, train
from nbrelapse.cli.updating import update
from nbrelapse.errors import InputError, NbRelapseError

app = typer.Typer(
    name="nbrelapse",
    help="Relapse risk in neuroblastoma, explained by molecular mechanisms. For research, not for treatment decisions.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"nbrelapse {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Show the version."),
) -> None:
    pass


app.command()(quickstart)
cohort_app.command()(fetch)
app.add_typer(cohort_app, name="cohort")
for command in (
    *(mechanisms, features, train, compare, evaluate, explain, score, serve, verify, export, update),
    *(register, promote, models, ui, doctor),
):
    app.command()(command)
_add_help(app)


_NEW_OBJECTS = 100_000
"""Between two looks for garbage. What is imported and loaded stays: with Python's 700 a command took 7% longer."""


def _print_what_can_be_printed() -> None:
    """Let a sign that the terminal's encoding does not have become a question mark, not the end of the command.

    What a user asks for in ``PYTHONIOENCODING`` stays, and UTF-8 of the C locale, which has every sign.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            careful = stream.errors == "surrogateescape" and not stream.encoding.lower().startswith("utf")
            if stream.errors == "strict" or careful:
                stream.reconfigure(errors="replace")


def main() -> None:
    """Run the command line; a user's mistake is one message on standard error and exit code 2.

    SIGINT (Ctrl-C), SIGTERM and SIGHUP end it in order: the exit code is 130, 143 or 129.
    """
    gc.set_threshold(_NEW_OBJECTS)
    _print_what_can_be_printed()
    try:
        with ending_by_signals():
            app(prog_name="nbrelapse")
    except NbRelapseError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        # A folder that cannot be written to, a full disk.
        fix = "check that it is there, that you may read or write it, and that the disk has room"
        problem = InputError(error.strerror or str(error), file=error.filename, fix=fix)
        print(f"error: {problem}", file=sys.stderr)
        sys.exit(2)
