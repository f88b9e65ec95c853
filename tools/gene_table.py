"""Make the packaged table of genes: Ensembl and Entrez identifiers, current, previous and alias symbols."""

from __future__ import annotations

import argparse
import gzip
from pathlib import Path

import pandas as pd

SUPPLEMENT = Path(__file__).with_name("gene_symbols.tsv")
"""Newer symbols, and genes that the source does not have."""
TABLE = Path(__file__).parents[1] / "src/nbrelapse/cohort/gene_ids.tsv.gz"
COLUMNS = ("ensembl", "entrez", "previous", "aliases")
HEAD = """\
# Genes: current symbol, Ensembl and Entrez identifiers, previous and alias symbols; several are separated by |.
# Made by tools/gene_table.py. What two genes share is listed with both, and never used to find a gene.
# Sources: Ensembl release 100, standard chromosomes (10.1093/nar/gkz966); HGNC (10.1093/nar/gkac888, CC0).
"""


def read_source(file: Path) -> pd.DataFrame:
    """Return the genes of the source, a row a gene: ``symbol`` and sets of names by column."""
    raw = pd.read_csv(file, sep="\t", dtype="str", keep_default_na=False)
    parts = {
        "ensembl": raw["ensembl_gene"],
        "entrez": raw["entrez_gene"].str.replace("; ", "|"),
        "previous": raw["previous_symbols"].str.replace(", ", "|"),
        "aliases": raw["alias_symbols"].str.replace(", ", "|"),
    }
    return pd.DataFrame({"symbol": raw["symbol"], **parts})


def renamed(source: pd.DataFrame, newer: pd.DataFrame) -> pd.DataFrame:
    """Return the source under the newer symbols, where exactly one of its genes had the symbol before."""
    before = newer.assign(old=newer["previous"].str.split("|")).explode("old")
    before = before[before["old"].isin(source["symbol"]) & ~before["symbol"].isin(source["symbol"])]
    before = before[~before["old"].duplicated(keep=False) & ~before["symbol"].duplicated(keep=False)]
    # A symbol that is still current was taken from no gene.
    before = before[~before["old"].isin(newer["symbol"])]
    new = source["symbol"].map(before.set_index("old")["symbol"])
    previous = source["previous"].where(new.isna(), source["previous"] + "|" + source["symbol"])
    return source.assign(symbol=new.fillna(source["symbol"]), previous=previous)


def joined(parts: pd.DataFrame) -> pd.DataFrame:
    """Return one row a symbol, with the names of all its rows in order, each once."""
    columns = {}
    for column in COLUMNS:
        names = parts.set_index("symbol")[column].str.split("|").explode()
        names = names[names.ne("") & names.ne(names.index)].reset_index().drop_duplicates()
        columns[column] = names.groupby("symbol")[column].agg("|".join)
    table = pd.DataFrame(columns, index=pd.Index(sorted(parts["symbol"].unique()), name="symbol"))
    return table.fillna("").reset_index()


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path, help="table with the columns ensembl_gene, symbol, entrez_gene, ...")
    parser.add_argument("--out", type=Path, default=TABLE)
    options = parser.parse_args()
    newer = pd.read_csv(SUPPLEMENT, sep="\t", comment="#", dtype="str", keep_default_na=False)
    table = joined(pd.concat([renamed(read_source(options.source), newer), newer], ignore_index=True))
    text = HEAD + table.to_csv(sep="\t", index=False, lineterminator="\n")
    # Without a time stamp the same source gives the same bytes.
    options.out.write_bytes(gzip.compress(text.encode("utf-8"), compresslevel=9, mtime=0))
    print(f"{len(table):,} genes, {options.out.stat().st_size:,} bytes: {options.out}")


if __name__ == "__main__":
    main()
