"""Expression from the STAR counts that the GDC offers, one file a sample."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from nbrelapse.cohort.parse_text_table import parse_text_table
from nbrelapse.cohort.text_header import read_header
from nbrelapse.cohort.vocabulary import normalise_numbers
from nbrelapse.errors import InputError

COLUMNS = ("gene_id", "gene_name", "gene_type", "tpm_unstranded")
PROTEIN_CODING = ("protein_coding",)
UNIT = "log2(TPM + 1)"


def read_star_counts(
    files: Sequence[str | Path], sample_ids: Sequence[str], gene_types: Collection[str] = PROTEIN_CODING
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Read ``*.rna_seq.augmented_star_gene_counts.tsv[.gz]`` files.

    ``tpm_unstranded`` becomes log2(TPM + 1). The TPM of gene ids with the same name (``_PAR_Y``, and the few that
    GENCODE lists twice) are added before the logarithm. Only protein-coding genes are read by default: features are
    ranks within a sample, and 40,000 mostly silent non-coding genes would move every rank away from other platforms'.

    Parameters
    ----------
    files : sequence of path
    sample_ids : sequence of str
        The sample of each file.
    gene_types : collection of str
        Values of ``gene_type`` to read; all genes where it is empty.

    Returns
    -------
    expression : DataFrame of float64, shape (n_genes, n_samples)
        Index ``Hugo_Symbol`` in order of the files' first genes.
    metadata : dict of str to str
        ``unit``, ``platform``, ``genes`` and the ``gene_model`` that the files name.

    Raises
    ------
    InputError
        A file has another format or gene model, a negative TPM, or two files are of the same sample.
    """
    paths = [Path(file) for file in files]
    _check_distinct(paths, sample_ids)
    genes, model = pd.DataFrame(), ""
    columns: list[np.ndarray] = []
    for path in paths:
        table, named = _read(path)
        if not columns:
            genes, model = table[["gene_id", "gene_name", "gene_type"]], named
        elif not table["gene_id"].equals(genes["gene_id"]):
            raise InputError(
                "the genes differ from those of the other files",
                file=path,
                column="gene_id",
                expected=f"the {len(genes)} genes of {paths[0].name}" + (f" ({model})" if model else ""),
                mend="download all files from the same GDC data release",
            )
        columns.append(table["tpm"].to_numpy())
    chosen = genes["gene_type"].isin(gene_types) if gene_types else genes["gene_id"].notna()
    if not chosen.any():
        found = ", ".join(sorted(genes["gene_type"].dropna().unique())[:10])
        raise InputError("no gene of these types", file=paths[0], column="gene_type", expected=f"one of {found}")
    tpm = np.column_stack(columns)[chosen.to_numpy()]
    summed = pd.DataFrame(tpm, columns=list(sample_ids)).groupby(genes.loc[chosen, "gene_name"].to_numpy(), sort=False)
    total = summed.sum().rename_axis("Hugo_Symbol")
    expression = pd.DataFrame(np.log2(total.to_numpy() + 1.0), index=total.index, columns=total.columns)
    kept = ", ".join(gene_types) if gene_types else "all"
    metadata = {"unit": UNIT, "platform": "gdc_star_counts", "genes": kept, "gene_model": model or "not named"}
    return expression, metadata


def _check_distinct(paths: Sequence[Path], sample_ids: Sequence[str]) -> None:
    repeated = pd.Series(list(sample_ids), dtype="str").duplicated()
    if repeated.any():
        raise InputError(
            "two expression files are of the same sample",
            file=paths[int(repeated.argmax())],
            expected="one file a sample",
            mend="leave all but one file of each sample out of the sources",
        )


def _read(path: Path) -> tuple[pd.DataFrame, str]:
    """Genes of one file with their TPM, and the gene model that its first line names."""
    header = read_header(path, path, comment=True)
    absent = [column for column in COLUMNS if column not in header.names]
    if absent:
        raise InputError(
            "not a file of GDC STAR counts: a column is missing",
            file=path,
            column=", ".join(absent),
            expected="gene_id, gene_name, gene_type, unstranded, ..., tpm_unstranded, ...",
            mend="download `Gene Expression Quantification` files of the workflow `STAR - Counts`",
        )
    table = parse_text_table(path, path, comment=True, columns=COLUMNS, numbers=COLUMNS[-1:], header=header)
    text = {name: table[name].astype("str") for name in COLUMNS[:-1]}
    table = pd.DataFrame(text | {"tpm": normalise_numbers(table["tpm_unstranded"], file=path)})
    # The first rows count reads without a gene: N_unmapped, N_multimapping, N_noFeature, N_ambiguous.
    of_gene = ~table["gene_id"].str.startswith("N_")
    wrong = of_gene & ~(table["tpm"] >= 0)
    if wrong.any():
        rows = (wrong.to_numpy().nonzero()[0] + 1).tolist()
        raise InputError("missing or negative TPM", file=path, column="tpm_unstranded", rows=rows, expected=">= 0")
    models = [line.partition(":")[2].strip() for line in header.comments if "gene-model" in line]
    return table[of_gene].reset_index(drop=True), models[0] if models else ""
