"""Execute the notebooks in a scratch folder, or those that are named (02 03); with --write their outputs are saved."""

from __future__ import annotations

import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).resolve().parent
LARGEST = 300_000
"""Bytes of a notebook with its outputs."""


def main() -> None:
    """Run every notebook; an error in a cell, or an output that is not to be committed, ends it."""
    named = tuple(argument for argument in sys.argv[1:] if not argument.startswith("--"))
    for file in sorted(file for file in HERE.glob("*.ipynb") if file.name.startswith(named or "")):
        notebook = nbformat.read(file, as_version=4)
        with tempfile.TemporaryDirectory() as folder:
            NotebookClient(notebook, timeout=600, resources={"metadata": {"path": folder}}).execute()
            complaints = list(_complaints(notebook, folder))
        if complaints:
            sys.exit(f"{file.name}: {'; '.join(complaints)}")
        cells = sum(cell.cell_type == "code" for cell in notebook.cells)
        print(f"{file.name}: {cells} cells ran")
        if "--write" in sys.argv[1:]:
            notebook.metadata["language_info"] = {"name": "python"}
            for cell in notebook.cells:
                cell.metadata.pop("execution", None)
            nbformat.write(notebook, file)


def _complaints(notebook: nbformat.NotebookNode, folder: str) -> Iterator[str]:
    """Say what of the outputs is not for others: places of this machine, warnings, more than can be read."""
    size = len(nbformat.writes(notebook).encode())
    if size > LARGEST:
        yield f"{size:,} bytes with its outputs, {LARGEST:,} at most"
    places = {folder, str(HERE.parent), str(Path.home()), sys.prefix, sys.base_prefix}
    for number, cell in enumerate((cell for cell in notebook.cells if cell.cell_type == "code"), start=1):
        said = [output for output in cell.outputs if output.get("name") == "stderr"]
        if said:
            yield f"code cell {number} writes to stderr: {said[0].text.strip()[:200]}"
        texts = " ".join(str(output.get("data") or output.get("text")) for output in cell.outputs)
        yield from (f"code cell {number} shows a place of this machine, {place}" for place in places if place in texts)


if __name__ == "__main__":
    warnings.filterwarnings("ignore", module="zmq")
    main()
