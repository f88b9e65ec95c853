"""Structural variants in the Variant Call Format."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from nbrelapse.cohort.parse_text_table import parse_text_table
from nbrelapse.cohort.read_table import decode, read_bytes
from nbrelapse.cohort.readers.breakend_mates import without_mates
from nbrelapse.cohort.readers.header_build import header_build
from nbrelapse.cohort.readers.vcf_samples import carried_variants
from nbrelapse.cohort.readers.vcf_variants import structural_variants
from nbrelapse.cohort.schema import REARRANGEMENTS
from nbrelapse.errors import InputError

FIXED = ["CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO"]


def read_vcf(
    file: str | Path, sample_id: str | None = None, *, passed_only: bool = True, repairs: list[str] | None = None
) -> tuple[pd.DataFrame, str | None]:
    r"""Read the structural variants of a VCF, as Manta, Delly, GRIDSS, SvABA, Lumpy and others write it.

    Parameters
    ----------
    file : path
        Plain or gzip (bgzip).
    sample_id : str, optional
        One of the file's sample columns, or the name to give to its only one, or to the tumour where the other of two
        is called a normal (``NORMAL``, ``blood``, ``##normal_sample=``). Without it each sample column that is no such
        normal is a sample of its own name.
    passed_only : bool
        Keep only what passed all filters (``PASS`` or ``.``).
    repairs : list of str, optional
        What was left out is appended.

    Returns
    -------
    rearrangements : DataFrame
        Columns of the table ``rearrangements``; genes are missing. The two records of a pair of mates are one row, the
        lower site first. An insertion and a single breakend have one site. Of two sample columns the one that is not
        asked for is the normal: what it carries too is left out as germline, unless the record says ``SOMATIC``. Where
        no column of a record has a genotype, the tumour carries it.
    genome_build : {"hg19", "hg38"} or None
        As the header tells it.

    Raises
    ------
    InputError
        There is no ``#CHROM`` line, the gzip stream is damaged, a line has too few fields, an ALT is of no known form
        or names several alleles, an end lies before its start, the sample is not in the file or the file does not say
        which one carries the variants, or it holds small variants only.

    References
    ----------
    Variant Call Format 4.3, section 5.4 (10.1093/bioinformatics/btr330); strands as in 10.1038/s41586-019-1913-9.

    Examples
    --------
    >>> import tempfile
    >>> header = "##reference=GRCh38.fa\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "sv.vcf"
    ...     _ = file.write_text(header + "chr2\t900\ta\tG\tG]chr5:70]\t.\tPASS\tSVTYPE=BND;MATEID=b\n"
    ...                                  "chr5\t70\tb\tT\tT]chr2:900]\t.\tPASS\tSVTYPE=BND;MATEID=a\n")
    ...     table, build = read_vcf(file, sample_id="NB01")
    >>> table[["sample_id", "site1_chromosome", "site1_position", "site2_position", "class"]].values.tolist(), build
    ([['NB01', '2', 900.0, 70.0, 'TRANSLOCATION']], 'hg38')
    """
    notes = [] if repairs is None else repairs
    meta, samples, records = _records(file)
    if passed_only:
        passed = records["FILTER"].isin(["PASS", "."]) | records["FILTER"].isna()
        _note(notes, file, int((~passed).sum()), "records that did not pass their filters")
        records = records[passed]
    variants = structural_variants(records, file)
    _note(notes, file, len(records) - len(variants), "small variants and copy-number records")
    if variants.empty and not records.empty:
        mend = "give the file of a structural variant caller (Manta, Delly, GRIDSS, SvABA, Lumpy)"
        raise InputError("the file holds no structural variants", file=file, expected="SVTYPE in INFO", mend=mend)
    records = records.loc[variants.index]
    carried, germline = carried_variants(records, samples, sample_id, meta, file)
    _note(notes, file, germline, "variants that the normal carries too")
    calls = without_mates(variants.loc[carried.index].assign(sample_id=carried))
    return calls.reindex(columns=list(REARRANGEMENTS.columns)), header_build(meta)


def _records(file: str | Path) -> tuple[list[str], list[str], pd.DataFrame]:
    """Return the ``##`` lines, the names of the samples, and the records with the samples as ``sample 1``, ..."""
    text = decode(read_bytes(file), file)
    header = re.search(r"^#CHROM\b.*$", text, re.MULTILINE)
    if header is None:
        mend = "give a VCF; where it was cut out of one, add its header again"
        raise InputError("the file has no #CHROM line", file=file, expected="#CHROM POS ID ...", mend=mend)
    names = header.group().lstrip("#").rstrip("\r").split("\t")
    if names[:8] != FIXED or (len(names) > 8 and names[8] != "FORMAT"):
        expected = "tabulators between " + ", ".join([*FIXED, "FORMAT"])
        raise InputError("the #CHROM line is not that of a VCF", file=file, expected=expected)
    samples = names[9:]
    if len(set(samples)) < len(samples):
        raise InputError("a sample column is there twice", file=file, mend="remove one of the two")
    # Sample names would show in messages of the parser.
    columns = [*names[:9], *(f"sample {number}" for number in range(1, len(samples) + 1))]
    body = "\t".join(columns) + "\n" + text[header.end() :].lstrip("\r\n")
    return text[: header.start()].splitlines(), samples, parse_text_table(body.encode(), file, comment=True)


def _note(repairs: list[str], file: str | Path, count: int, what: str) -> None:
    if count:
        repairs.append(f"{Path(file).name}: {count} {what} left out")
