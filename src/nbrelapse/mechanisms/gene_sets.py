"""Published gene sets that the user names at run time."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from nbrelapse.errors import InputError

COLUMNS = ("gene_set", "Hugo_Symbol")
_LFS_POINTER = "version https://git-lfs"


def read_gene_sets(file: str | Path) -> dict[str, list[str]]:
    r"""Read gene sets from a GMT file or a tab-separated table.

    Parameters
    ----------
    file : path
        ``.gmt``: a line a set, ``name <tab> description <tab> gene <tab> gene ...``. Otherwise a tab-separated table
        with the columns ``gene_set`` and ``Hugo_Symbol``, a row a gene.

    Returns
    -------
    dict of str to list of str
        Gene symbols by set, in the order of the file, each once.

    Raises
    ------
    InputError
        The file is missing, is not text, lacks a column, or holds no gene.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "sets.gmt"
    ...     _ = file.write_text("ADRN\tsource\tPHOX2B\tGATA3\tPHOX2B\n")
    ...     read_gene_sets(file)
    {'ADRN': ['PHOX2B', 'GATA3']}
    """
    text = _read_text(Path(file))
    table = _from_gmt(text, file) if Path(file).suffix == ".gmt" else _from_table(text, file)
    table = table[table["Hugo_Symbol"].ne("")].drop_duplicates()
    if table.empty:
        raise InputError("the gene sets file holds no genes", file=file)
    by_set = table.groupby("gene_set", sort=False)["Hugo_Symbol"]
    return {str(name): genes.tolist() for name, genes in by_set}


def _read_text(file: Path) -> str:
    try:
        text = file.read_text(encoding="utf-8")
    except (FileNotFoundError, IsADirectoryError):
        raise InputError("the gene sets file does not exist", file=file, expected="a .gmt or .tsv file") from None
    except UnicodeDecodeError:
        raise InputError("the gene sets file is not plain text", file=file, mend="unpack it") from None
    if text.startswith(_LFS_POINTER):
        raise InputError("this is a Git LFS pointer, not the gene sets", file=file, mend="run `git lfs pull`")
    return text


def _from_gmt(text: str, file: str | Path) -> pd.DataFrame:
    lines = {number: line.split("\t") for number, line in enumerate(text.splitlines(), start=1) if line.strip()}
    short = [number for number, fields in lines.items() if len(fields) < 3]
    if short:
        raise InputError(
            "a line has no genes", file=file, rows=short, expected="name, description and genes separated by tabs"
        )
    rows = [(fields[0].strip(), gene.strip()) for fields in lines.values() for gene in fields[2:]]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _from_table(text: str, file: str | Path) -> pd.DataFrame:
    rows = [line.split("\t") for line in text.splitlines() if line.strip() and not line.startswith("#")]
    header = [name.strip() for name in rows[0]] if rows else []
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise InputError(
            "the gene sets table lacks columns",
            file=file,
            column=", ".join(missing),
            expected="tab-separated columns gene_set and Hugo_Symbol",
        )
    places = [header.index(name) for name in COLUMNS]
    short = [number for number, row in enumerate(rows[1:], start=1) if len(row) <= max(places)]
    if short:
        raise InputError("a row is cut short", file=file, rows=short, expected=f"{len(header)} tab-separated fields")
    return pd.DataFrame([[row[place].strip() for place in places] for row in rows[1:]], columns=list(COLUMNS))
