"""Structural variants in the Variant Call Format, the two records of a junction joined to one row."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from nbrelapse.cohort.cohort import Repairs
from nbrelapse.cohort.columns import refuse_rows, row_numbers
from nbrelapse.cohort.content import decode, read_bytes
from nbrelapse.cohort.genome import normalise_chromosomes
from nbrelapse.cohort.mutations import INSERTION, TRANSLOCATION, class_of_word, rearrangement_class
from nbrelapse.cohort.schema import REARRANGEMENTS, levels, normalise_numbers
from nbrelapse.cohort.text import parse_text_table
from nbrelapse.errors import InputError
from nbrelapse.readers._columns import header_build

_FIXED = ["CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO"]


def _read_vcf(
    file: str | Path,
    sample_id: str | None = None,
    *,
    column: str | None = None,
    passed_only: bool = True,
    repairs: Repairs | None = None,
) -> tuple[pd.DataFrame, str | None]:
    r"""Read the structural variants of a VCF, as Manta, Delly, GRIDSS, SvABA, Lumpy and others write it.

    Parameters
    ----------
    file : path
        Plain or gzip (bgzip).
    sample_id : str, optional
        One of the file's sample columns, or the name to give to its only one, or to the tumour where the other of two
        is called a normal (``NORMAL``, ``blood``, ``##normal_sample=``, or ``…R`` beside ``…T`` as PURPLE has them).
        Without it each sample column that is no such normal is a sample of its own name. Columns may be named by their
        BAM file, as GRIDSS does: ``NB01.bam`` and ``NB01_dedup.bam`` are NB01.
    column : str, optional
        The sample column that is `sample_id`.
    passed_only : bool
        Keep only what passed all filters (``PASS`` or ``.``).
    repairs : Repairs, optional
        What was left out is added.

    Returns
    -------
    rearrangements : DataFrame
        Columns of the table ``rearrangements``; genes are missing. The two records of a pair of mates are one row, the
        lower site first. An insertion and a single breakend have one site. Of two sample columns the one that is not
        asked for is the normal: what it carries too is left out as germline, unless the record says ``SOMATIC``. Where
        no column of a record has a genotype, the tumour carries it; of several tumours, and of a normal, the fragments
        that GRIDSS counts (``VF``, ``BVF``) tell. Records that cannot be read are left out and counted, where as many
        can be read.
    genome_build : {"hg19", "hg38"} or None
        As the header tells it.

    Raises
    ------
    InputError
        There is no ``#CHROM`` line, the gzip stream is damaged, the last line has too few fields, the sample is not in
        the file or the file does not say which one carries the variants, or it holds small variants only; or in most
        records an ALT is of no known form or names several alleles, a number or chromosome is none, or an end lies
        before its start.

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
    ...     table, build = _read_vcf(file, sample_id="NB01")
    >>> table[["sample_id", "site1_chromosome", "site1_position", "site2_position", "class"]].values.tolist(), build
    ([['NB01', '2', 900.0, 70.0, 'TRANSLOCATION']], 'hg38')
    """
    notes = Repairs() if repairs is None else repairs
    name = Path(file).name
    meta, samples, records = _records(file, notes)
    if passed_only:
        passed = records["FILTER"].isin(["PASS", "."]) | records["FILTER"].isna()
        notes.add_count(name, (~passed).sum(), "records that did not pass their filters left out")
        records = records[passed]
    records, variants = _readable(records, file, notes)
    notes.add_count(name, len(records) - len(variants), "small variants and copy-number records left out")
    if variants.empty and not records.empty:
        fix = "give the file of a structural variant caller (Manta, Delly, GRIDSS, SvABA, Lumpy)"
        raise InputError("the file holds no structural variants", file=file, expected="SVTYPE in INFO", fix=fix)
    records = records.loc[variants.index]
    carried, germline = _carried_variants(records, samples, sample_id, meta, file, column)
    notes.add_count(name, germline, "variants that the normal carries too left out")
    calls = _without_mates(variants.loc[carried.index].assign(sample_id=carried))
    return calls.reindex(columns=list(REARRANGEMENTS.columns)), header_build(meta)


_UNREADABLE = "records that cannot be read left out"


def _readable(records: pd.DataFrame, file: str | Path, notes: Repairs) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the records that can be read, and the structural variants among them.

    Raises
    ------
    InputError
        Fewer structural variants can be read than records cannot: the first problem found.
    """
    kept, first = records, None
    while True:
        try:
            variants = _structural_variants(kept, file)
            break
        except InputError as error:
            if not error.rows:
                raise
            first = first or error
            kept = kept.drop(index=[int(row) - 1 for row in error.rows])
    unreadable = len(records) - len(kept)
    if first is not None and unreadable > len(variants):
        raise first
    notes.add_count(Path(file).name, unreadable, _UNREADABLE)
    return kept, variants


def _records(file: str | Path, notes: Repairs) -> tuple[list[str], list[str], pd.DataFrame]:
    """Return the ``##`` lines, the names of the samples, and the records with the samples as ``sample 1``, ..."""
    text = decode(read_bytes(file), file)
    header = re.search(r"^#CHROM\b.*$", text, re.MULTILINE)
    if header is None:
        fix = "give a VCF; where it was cut out of one, add its header again"
        raise InputError("the file has no #CHROM line", file=file, expected="#CHROM POS ID ...", fix=fix)
    names = header.group().lstrip("#").rstrip("\r").split("\t")
    if names[:8] != _FIXED or (len(names) > 8 and names[8] != "FORMAT"):
        expected = "tabulators between " + ", ".join([*_FIXED, "FORMAT"])
        fix = "correct its names, in this order"
        raise InputError("the #CHROM line is not that of a VCF", file=file, expected=expected, fix=fix)
    samples = names[9:]
    if len(set(samples)) < len(samples):
        raise InputError("a sample column is there twice", file=file, fix="remove one of the two")
    # Sample names would show in messages of the parser.
    columns = [*names[:9], *(f"sample {number}" for number in range(1, len(samples) + 1))]
    lines = pd.Series(text[header.end() :].split("\n"), dtype="str")
    remarks = lines.str.startswith("#") & (lines.str.count("\t") != len(columns) - 1)
    lines = lines[(lines.str.strip() != "") & ~remarks].reset_index(drop=True)
    # A last line that is too short was cut off, and with it what came after.
    uneven = (lines.str.count("\t") != len(columns) - 1) & (lines.index < len(lines) - 1)
    notes.add_count(Path(file).name, uneven.sum(), _UNREADABLE)
    body = "\n".join(["\t".join(columns), *lines[~uneven], ""])
    records = parse_text_table(body.encode(), file, comment=True)
    return text[: header.start()].splitlines(), samples, records.set_axis(lines.index[~uneven], axis=0)


_NORMAL = re.compile(r"(?:^|[-_.])(?:normal|control|ctrl|blood|germline|reference|ref)(?:[-_.]|$)", re.IGNORECASE)


def _carried_variants(
    records: pd.DataFrame,
    samples: Sequence[str],
    sample_id: str | None,
    meta: Sequence[str],
    file: str | Path,
    column: str | None = None,
) -> tuple[pd.Series, int]:
    """Tell the samples that carry each variant.

    Parameters
    ----------
    records : DataFrame of str
        ``INFO``, ``FORMAT`` and the columns ``sample 1``, ``sample 2``, ...
    samples : sequence of str
        What the file calls them.
    sample_id : str or None
        The sample asked for, or what to call it, see :func:`nbrelapse.readers.vcf.read_vcf`.
    meta : sequence of str
        The ``##`` lines.
    file : path
        For error messages.
    column : str, optional
        What the file calls the sample asked for.

    Returns
    -------
    carried : Series of str
        The sample, indexed as `records`; a record is there as often as it has carriers.
    germline : int
        How many records were left out because the normal carries them too.

    Raises
    ------
    InputError
        The sample is not in the file, or nothing says which sample the variants are of.

    Examples
    --------
    >>> records = pd.DataFrame({"INFO": [".", "."], "FORMAT": ["GT", "GT"], "sample 1": ["0/1", "0/1"],
    ...     "sample 2": ["0/0", "0/1"]})
    >>> carried, germline = _carried_variants(records, ["TUMOR", "_NORMAL"], None, [], "a.vcf")
    >>> carried.tolist(), germline
    (['TUMOR'], 1)
    """
    samples = [_bare_name(name) for name in samples]
    normals = _normals(samples, meta)
    asked = sample_id if column is None else _bare_name(column)
    if column is not None and asked not in samples:
        raise InputError("the file has no such sample column", file=file, expected="a name as the #CHROM line has it")
    wanted, names = _wanted(samples, normals, asked, file)
    names = names if column is None or sample_id is None else [sample_id]
    if not samples:
        return pd.Series(names[0], index=records.index, dtype="str"), 0
    called, variant = _genotypes(records, len(samples))
    normal = [1 - wanted[0]] if len(samples) == 2 and len(wanted) == 1 else normals
    counted, fragments = _fragments(records, len(samples))
    counted &= ~called.any(axis=1)
    supported = fragments > 0
    supported[:, normal] = fragments[:, normal] >= _GERMLINE * np.maximum(fragments[:, wanted].max(axis=1), 1)[:, None]
    variant = np.where(counted[:, None], supported, variant)
    unsaid = np.asarray(~called.any(axis=1) & ~(counted & supported[:, wanted].any(axis=1)))
    if len(wanted) > 1:
        refuse_rows(
            records.index,
            unsaid,
            "no genotype says which sample carries the variant",
            file=file,
            column="FORMAT",
            expected="GT",
            fix="say which column is the tumour (sample_id)",
        )
    somatic = records["INFO"].astype("str").str.contains(r"(?:^|;)SOMATIC(?:;|=|$)").fillna(False).to_numpy(dtype=bool)
    germline = variant[:, normal].any(axis=1) & ~somatic
    carries = (variant[:, wanted] | unsaid[:, None]) & ~germline[:, None]
    row, place = carries.nonzero()
    carried = pd.Series(np.asarray(names, dtype=object)[place], index=records.index[row], dtype="str")
    return carried, int(((variant[:, wanted].any(axis=1)) & germline).sum())


_GERMLINE = 0.1
"""Part of the tumour's fragments from which the normal's are no contamination. A choice."""


def _fragments(records: pd.DataFrame, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Tell which records have GRIDSS's counts of fragments, and the counts, a column a sample.

    GRIDSS calls no genotypes: VF counts the fragments of a breakpoint, BVF those of a single breakend.
    """
    counts = np.zeros((len(records), width))
    cells = records[[f"sample {number}" for number in range(1, width + 1)]]
    has_any = np.zeros(len(records), dtype=bool)
    for form in records["FORMAT"].dropna().unique():
        rows = (records["FORMAT"] == form).to_numpy(dtype=bool)
        for key in {"VF", "BVF"} & set(form.split(":")):
            place = form.split(":").index(key)
            values = cells[rows].apply(lambda column, at=place: pd.to_numeric(column.str.split(":").str[at], "coerce"))
            counts[rows] += values.fillna(0).to_numpy(dtype=float)
            has_any |= rows
    return has_any, counts


def _bare_name(name: str) -> str:
    """Return a sample's name without the folders and the ending of its BAM file."""
    return re.sub(r"\.(?:bam|cram)$", "", name.rpartition("/")[2], flags=re.IGNORECASE)


def _normals(samples: Sequence[str], meta: Sequence[str]) -> list[int]:
    named = {_bare_name(line.partition("=")[2].strip()) for line in meta if line.startswith("##normal_sample=")}
    named |= {name for name in samples if name.endswith("R") and f"{name[:-1]}T" in samples}
    return [place for place, name in enumerate(samples) if name in named or _NORMAL.search(name)]


def _wanted(
    samples: Sequence[str], normals: Sequence[int], sample_id: str | None, file: str | Path
) -> tuple[list[int], list[str]]:
    """Columns to read, and what to call them."""
    tumours = [place for place in range(len(samples)) if place not in normals]
    if sample_id is None:
        if not tumours:
            raise InputError("the file names no sample", file=file, fix="say whose it is (sample_id)")
        return tumours, [samples[place] for place in tumours]
    if sample_id in samples:
        return [list(samples).index(sample_id)], [sample_id]
    longer = [place for place in tumours if re.match(rf"{re.escape(sample_id)}[^A-Za-z0-9]", samples[place])]
    if len(longer) == 1:
        return longer, [sample_id]
    if len(samples) < 2:
        return [0], [sample_id]
    if len(samples) == 2 and len(tumours) == 1:
        return tumours, [sample_id]
    raise InputError(
        f"the sample is not among the {len(samples)} of the file",
        file=file,
        expected="the name of a sample column as the #CHROM line has it",
        fix="name the column of the tumour",
    )


def _genotypes(records: pd.DataFrame, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Whether a genotype is called and whether it has the variant, a column a sample."""
    cells = records[[f"sample {number}" for number in range(1, width + 1)]].to_numpy(dtype=object)
    genotype = pd.Series(cells.ravel(), dtype="str").str.extract("^([^:]*)", expand=False)
    has_genotype = records["FORMAT"].str.match(r"GT(?::|$)").fillna(False).to_numpy(dtype=bool)[:, None]
    called = genotype.str.contains(r"\d").fillna(False).to_numpy(dtype=bool).reshape(cells.shape) & has_genotype
    return called, genotype.str.contains("[1-9]").fillna(False).to_numpy(dtype=bool).reshape(cells.shape) & called


_BREAKEND = (
    r"^(?P<before>[A-Za-z.*]*)(?P<open>[\[\]])(?P<chromosome>.+):(?P<position>\d+)(?P<close>[\[\]])"
    r"(?P<after>[A-Za-z.*]*)$"
)
_SINGLE = r"\.[A-Za-z]+|[A-Za-z]+\."
_SYMBOL = r"^<([\w:.-]+)>$"
_COPY_NUMBER = r"CNV?\d*"


def _structural_variants(records: pd.DataFrame, file: str | Path) -> pd.DataFrame:
    """Read the places and classes of the structural variants among the records of a VCF.

    Parameters
    ----------
    records : DataFrame of str
        ``CHROM``, ``POS``, ``ID``, ``REF``, ``ALT``, ``INFO``.
    file : path
        For error messages.

    Returns
    -------
    DataFrame
        A row a structural variant, indexed as `records`: ``site1_chromosome``, ``site1_position``,
        ``site2_chromosome``, ``site2_position`` (missing for insertions and single breakends), ``class``; ``strands``
        of breakends and ``pair``, the same text for both mates. Small variants, which have no ``SVTYPE``, and
        copy-number records are not there.

    Raises
    ------
    InputError
        An ALT is of no known form or names several alleles, a position is no number, or an end lies before its start.

    Examples
    --------
    >>> records = pd.DataFrame({"CHROM": ["1", "1"], "POS": ["500", "9"], "ID": ["a", "b"], "REF": ["G", "C"],
    ...     "ALT": ["<DEL>", "C."], "INFO": ["SVTYPE=DEL;SVLEN=-90", "SVTYPE=BND"]})
    >>> _structural_variants(records, "a.vcf")[["site2_chromosome", "site2_position", "class"]].values.tolist()
    [['1', 590.0, 'DELETION'], [nan, nan, nan]]
    """
    alt = records["ALT"].astype("str")
    symbol = alt.str.extract(_SYMBOL, expand=False).astype("str")
    joined = alt.str.extract(_BREAKEND).astype("str")
    kept = _check_forms(alt, symbol, joined, _info(records, "SVTYPE"), file)
    records, symbol, joined = records[kept], symbol[kept], joined[kept]
    told = class_of_word(symbol).notna()
    sites = {
        "site1_chromosome": normalise_chromosomes(records["CHROM"], file=file),
        "site1_position": normalise_numbers(records["POS"], file=file),
        "site2_chromosome": _second_chromosome(records, joined, file),
        "site2_position": _second_position(records, joined, file),
        "class": symbol.where(told, _info(records, "SVTYPE")),
    }
    variants = pd.DataFrame(sites, index=records.index)
    strands = _strands(joined)
    variants["class"] = rearrangement_class(variants, strands)
    one_site = (variants["class"] == INSERTION) | records["ALT"].str.fullmatch(_SINGLE).fillna(False).astype(bool)
    for column in ("site2_chromosome", "site2_position"):
        variants[column] = variants[column].mask(one_site)
    _check_order(variants, joined, file)
    return variants.assign(strands=strands, pair=_pair(records).where(strands.notna()))


def _check_forms(
    alt: pd.Series, symbol: pd.Series, joined: pd.DataFrame, kind: pd.Series, file: str | Path
) -> pd.Series:
    """Return which records are structural variants; refuse those that are of no known form."""
    several = alt.str.contains(",", regex=False).fillna(False).astype(bool)
    fix = "split them first: bcftools norm -m -any"
    refuse_rows(alt.index, several, "records with several ALT alleles", file=file, column="ALT", fix=fix)
    copies = symbol.str.fullmatch(_COPY_NUMBER).fillna(False).astype(bool)
    named = (class_of_word(symbol).notna() | (symbol == "BND")).astype(bool)
    breakend = ((joined["open"] == joined["close"]) & ((joined["before"] == "") != (joined["after"] == ""))).astype(
        bool
    )
    single = alt.str.fullmatch(_SINGLE).fillna(False).astype(bool)
    bases = alt.str.fullmatch("[A-Za-z]+").fillna(False).astype(bool)
    no_allele = alt.isna() | alt.isin([".", "*"])
    unknown = ~(copies | named | breakend | single | bases | no_allele)
    if unknown.any():
        raise InputError(
            f"unknown form of ALT {alt[unknown].iloc[0]!r}",
            file=file,
            column="ALT",
            rows=row_numbers(alt.index, unknown),
            expected="bases, <DEL>, <DUP>, <INV>, <INS>, <TRA>, <BND>, or a breakend such as G]17:198982]",
        )
    return named | breakend | single | (bases & kind.notna())


def _info(records: pd.DataFrame, key: str) -> pd.Series:
    """Value of an INFO key, missing where it is not there or ``.``."""
    found = records["INFO"].astype("str").str.extract(rf"(?:^|;){key}=([^;,]*)", expand=False).astype("str")
    return found.mask(found.isin([".", ""])).rename(key)


def _second_chromosome(records: pd.DataFrame, joined: pd.DataFrame, file: str | Path) -> pd.Series:
    named = joined["chromosome"].fillna(_info(records, "CHR2")).fillna(records["CHROM"].astype("str"))
    return normalise_chromosomes(named.rename("CHR2"), file=file)


def _second_position(records: pd.DataFrame, joined: pd.DataFrame, file: str | Path) -> pd.Series:
    """Position of the mate; else POS2, END, POS + SVLEN, or the end of the bases in REF."""
    ways = [joined["position"], _info(records, "POS2"), _info(records, "END")]
    position = pd.Series(np.nan, index=records.index)
    for way in ways:
        position = position.fillna(normalise_numbers(way, file=file))
    start = normalise_numbers(records["POS"], file=file)
    position = position.fillna(start + normalise_numbers(_info(records, "SVLEN"), file=file).abs())
    bases = records["ALT"].str.fullmatch("[A-Za-z]+").fillna(False).astype(bool)
    return position.fillna((start + records["REF"].str.len() - 1).where(bases).astype("float64"))


def _strands(joined: pd.DataFrame) -> pd.Series:
    first = joined["before"].ne("").map({True: "+", False: "-"}).astype("str")
    second = joined["open"].map({"[": "-", "]": "+"}).astype("str")
    return first + second


def _pair(records: pd.DataFrame) -> pd.Series:
    """Both IDs of two mates in one order; missing where there is no mate."""
    mate = _info(records, "MATEID").fillna(_info(records, "PARID"))
    own = records["ID"].astype("str")
    lower = own <= mate
    return (own.where(lower, mate) + " " + mate.where(lower, own)).where(mate.notna())


def _check_order(variants: pd.DataFrame, joined: pd.DataFrame, file: str | Path) -> None:
    within = (variants["site1_chromosome"] == variants["site2_chromosome"]) & (variants["class"] != TRANSLOCATION)
    wrong = within & joined["open"].isna() & (variants["site2_position"] < variants["site1_position"])
    refuse_rows(
        variants.index,
        wrong,
        "a variant ends before it starts",
        file=file,
        column="END",
        expected="END at or after POS",
        fix="correct END, or CHR2 where it is on another chromosome",
    )


_SITES = ("chromosome", "position")


def _without_mates(calls: pd.DataFrame) -> pd.DataFrame:
    """Keep one of two mates, whether they name each other or are only each other's mirror image.

    Parameters
    ----------
    calls : DataFrame
        ``sample_id``, the columns of both sites, ``strands`` (missing for what is no breakend) and ``pair``, the same
        text for both mates.

    Returns
    -------
    DataFrame
        In the order of `calls`, numbered anew; breakends have the lower site first. Of mates that differ, because
        bases at the junction fit both sides, the one with the lower sites stays.

    Examples
    --------
    >>> calls = pd.DataFrame({"sample_id": "a", "site1_chromosome": ["17", "2"], "site1_position": [9.0, 4.0],
    ...     "site2_chromosome": ["2", "17"], "site2_position": [4.0, 9.0], "strands": ["-+", "+-"], "pair": None})
    >>> _without_mates(calls)[["site1_chromosome", "site2_chromosome", "strands"]].values.tolist()
    [['2', '17', '+-']]
    """
    ordered = _lower_site_first(calls.reset_index(drop=True))
    sites = [f"site{number}_{name}" for number in (1, 2) for name in _SITES]
    by_site = ordered.sort_values([*sites, "strands"], kind="stable")
    named = by_site["pair"].notna() & by_site.duplicated(["sample_id", "pair"])
    mirrored = by_site["strands"].notna() & by_site.duplicated(["sample_id", *sites, "strands"])
    return by_site[~(named | mirrored)].sort_index().reset_index(drop=True)


def _lower_site_first(calls: pd.DataFrame) -> pd.DataFrame:
    rank = {name: place for place, name in enumerate(levels("chromosome"))}
    first, second = (calls[f"site{number}_chromosome"] for number in (1, 2))
    # Contigs come after the chromosomes, in order of name.
    first_rank, second_rank = (names.map(rank).fillna(len(rank)) for names in (first, second))
    same = first == second
    higher = (first_rank > second_rank) | ((first_rank == second_rank) & ~same & (first > second))
    higher |= same & (calls["site1_position"] > calls["site2_position"])
    swap = (calls["strands"].notna() & higher).astype(bool)
    columns = {}
    for name in _SITES:
        columns[f"site1_{name}"] = calls[f"site1_{name}"].mask(swap, calls[f"site2_{name}"])
        columns[f"site2_{name}"] = calls[f"site2_{name}"].mask(swap, calls[f"site1_{name}"])
    strands = calls["strands"].astype("str")
    return calls.assign(**columns, strands=strands.mask(swap, strands.str[1:2] + strands.str[0:1]))
