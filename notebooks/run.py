"""Execute the notebooks in a scratch folder; with --write their outputs are saved in place."""

from __future__ import annotations

import sys
import tempfile
import warnings
from pathlib import Path

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Run every notebook; an error in a cell ends it with a traceback."""
    for file in sorted(HERE.glob("*.ipynb")):
        notebook = nbformat.read(file, as_version=4)
        with tempfile.TemporaryDirectory() as folder:
            NotebookClient(notebook, timeout=600, resources={"metadata": {"path": folder}}).execute()
        cells = sum(cell.cell_type == "code" for cell in notebook.cells)
        print(f"{file.name}: {cells} cells ran")
        if "--write" in sys.argv[1:]:
            for cell in notebook.cells:
                cell.metadata.pop("execution", None)
            nbformat.write(notebook, file)


if __name__ == "__main__":
    warnings.filterwarnings("ignore", module="zmq")
    main()
