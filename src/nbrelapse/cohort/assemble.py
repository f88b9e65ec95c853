"""From a reader's raw tables to a validated cohort."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.cohort.check import ROUNDING_DAYS, validate_cohort
from nbrelapse.cohort.cohort import Cohort, Repairs
from nbrelapse.cohort.columns import _decoded, _map_distinct, is_among, refuse_rows, require_columns
from nbrelapse.cohort.genes import _read_identifiers, _repair_symbols, _require_genes
from nbrelapse.cohort.genome import _on_contigs, normalise_chromosomes
from nbrelapse.cohort.layers import layer_assay
from nbrelapse.cohort.matrices import _matrix_numbers, _refuse_infinite
from nbrelapse.cohort.mutations import _repair_mutations, _repair_rearrangements
from nbrelapse.cohort.schema import (
    _ASSAYS,
    ASSAY_OF,
    MATRICES,
    TABLES,
    _checked_text,
    _kind,
    as_text,
    coded_columns,
    normalise_levels,
    normalise_numbers,
)
from nbrelapse.cohort.segments import _HIGHEST, _repair_segments
from nbrelapse.errors import InputError


def assemble_cohort(
    name: str,
    tables: Mapping[str, pd.DataFrame],
    *,
    metadata: Mapping[str, Any] | None = None,
    files: Mapping[str, str | Path] | None = None,
    layers: Mapping[str, pd.DataFrame] | None = None,
) -> Cohort:
    """Normalise, complete, repair and validate the tables that a reader has found.

    What it adds: columns that the source does not have (empty); a diagnosis sample named as its patient where there
    are no ``samples`` at all, or where a patient with a known MYCN status has none; an ``assays`` row for each sample
    that a molecular table has data of, and ``fish`` for the diagnosis sample of patients with a known MYCN status;
    the platforms' log2 scales (``metadata["platforms"]``). What it repairs is listed in ``metadata["repairs"]``.

    Parameters
    ----------
    name : str
        The study.
    tables : dict of str to DataFrame
        By table name; columns are the schema's, values may be spelled in any way that the vocabulary knows.
        ``patients`` is required. Matrices have genes as index and samples as columns.
    metadata : dict, optional
        To be kept in ``cohort.toml``.
    files : dict of str to path, optional
        The file each table and layer comes from, for error messages.
    layers : dict of str to DataFrame, optional
        Further matrices of the samples, as :func:`nbrelapse.cohort.normalise_layer` returns them;
        ``metadata["layers"]`` says of each its ``unit`` and how its rows find a ``mechanism``, and may say ``platform``
        and ``genome_build``.

    Returns
    -------
    Cohort

    Raises
    ------
    InputError
        A table has an unknown column or an illegal value, or the tables contradict each other.

    Examples
    --------
    >>> import pandas as pd
    >>> patients = pd.DataFrame({"patient_id": ["a", "b"], "inss_stage": ["4s", "Unknown"], "mycn_status": ["1", ""]})
    >>> cohort = assemble_cohort("demo", {"patients": patients})
    >>> cohort.patients["inss_stage"].tolist(), cohort.assayed_samples("fish").to_dict()
    (['4S', nan], {'a': 'a'})
    """
    return assemble_and_empty(name, dict(tables), metadata or {}, files or {}, layers or {})


def assemble_and_empty(
    name: str,
    tables: dict[str, pd.DataFrame],
    metadata: Mapping[str, Any],
    files: Mapping[str, str | Path],
    layers: Mapping[str, pd.DataFrame],
    *,
    codes: bool = False,
) -> Cohort:
    """Do as :func:`assemble_cohort` does, and take each of the tables out of their dict: it need not stay in memory.

    Parameters
    ----------
    name : str
    tables : dict of str to DataFrame
        Empty afterwards.
    metadata, files, layers : mapping
        As there.
    codes : bool, default False
        Leave the texts of mutations and segments categorical where they came so.

    Returns
    -------
    Cohort

    Raises
    ------
    InputError
        As there.

    Examples
    --------
    >>> tables = {"patients": pd.DataFrame({"patient_id": ["a", "b"]})}
    >>> assemble_and_empty("demo", tables, {}, {}, {}).patient_ids.tolist(), tables
    (['a', 'b'], {})
    """
    repairs = Repairs(metadata.get("repairs", ()))
    ready: dict[str, Any] = _normalise(tables, files, repairs)
    ready["patients"] = _repair_outcome(_fill_high_risk(ready["patients"]), repairs)
    ready["samples"] = _complete_samples(ready, repairs)
    ready["assays"] = _complete_assays(ready, _layer_assays(layers, metadata))
    about = {**metadata, "repairs": list(repairs)}
    about |= _platforms(validate_cohort(Cohort(name=name, metadata=about, layers=layers, **ready), files))
    # Until here rows had their places in the files, for messages.
    for key in [key for key in TABLES if key in ready]:
        ready[key] = ready[key].reset_index(drop=True)
        if not codes:
            ready[key] = _decoded(ready[key])
    return Cohort(name=name, metadata=about, layers=layers, **ready)


_REPAIRS = {
    "segments": _repair_segments,
    "mutations": _repair_mutations,
    "rearrangements": _repair_rearrangements,
}


_CODED = ("mutations", "segments")
"""Tables that may be long: where their texts come categorical they stay so until they are validated."""


def _normalise(
    tables: dict[str, pd.DataFrame], files: Mapping[str, str | Path], repairs: Repairs
) -> dict[str, pd.DataFrame]:
    foreign = sorted(set(tables) - {*TABLES, *MATRICES})
    if foreign or "patients" not in tables:
        wrong = ", ".join(foreign) if foreign else "patients"
        raise InputError("unknown table" if foreign else "a table is missing", column=wrong)
    empty = {key: table.empty for key, table in tables.items()}
    ready = {}
    for key in [key for key in TABLES if key in tables]:
        table = normalise_table(key, tables.pop(key), files.get(key, key), repairs)
        ready[key] = table if key in _CODED else _decoded(table)
    for key in [key for key in MATRICES if key in tables]:
        file, calls = files.get(key, key), key == "gene_copy_number"
        ready[key] = normalise_matrix(tables.pop(key), file, repairs, calls=calls)
    for key, table in ready.items():
        if key in ASSAY_OF and empty[key]:
            repairs.add(key, f"{Path(str(files.get(key, key))).name} has no rows")
        if table.empty and not empty[key]:
            reasons = "; ".join(line.partition(": ")[2] for line in repairs if line.startswith(f"{key}: "))
            raise InputError(
                f"no row of the file can be used{f': {reasons}' if reasons else ''}",
                file=files.get(key, key),
                fix="correct the file, or leave it out: without it nobody counts as looked at",
            )
    for key in [key for key in _REPAIRS if key in ready]:
        ready[key] = _REPAIRS[key](ready[key], repairs)
    if ready["patients"].empty:
        raise InputError("the cohort has no patients", file=files.get("patients", "patients"), fix="add their rows")
    return ready


def _fill_high_risk(patients: pd.DataFrame) -> pd.DataFrame:
    known = patients["risk_group"].notna()
    from_group = (patients["risk_group"] == "high").astype("boolean").mask(~known)
    return patients.assign(high_risk=patients["high_risk"].fillna(from_group))


def _repair_outcome(patients: pd.DataFrame, repairs: Repairs) -> pd.DataFrame:
    """Fill what follows with certainty: death from a fatal first event, follow-up at least until the event."""
    died = (patients["event"] == "death") & patients["death"].isna()
    later = patients["event_days"] - patients["followup_days"]
    # An event was seen; that there was none is a claim that the shorter follow-up denies, but for a month's rounding.
    allowed = patients["event"].map({"none": ROUNDING_DAYS}).astype("float64").fillna(np.inf)
    seen_later = (patients["death"] != 1) & (later > 0) & (later <= allowed)
    repairs.add_count("patients.death", died.sum(), "set to 1, their first event is death")
    repairs.add_count("patients.followup_days", seen_later.sum(), "raised to event_days, which is later")
    return patients.assign(
        death=patients["death"].mask(died, 1.0),
        followup_days=patients["followup_days"].mask(seen_later, patients["event_days"]),
    )


def _complete_samples(tables: dict[str, pd.DataFrame], repairs: Repairs) -> pd.DataFrame:
    patients = tables["patients"]
    if "samples" not in tables:
        return _diagnosis_samples(patients["patient_id"])
    samples = tables["samples"]
    bare = ~is_among(patients["patient_id"], samples["patient_id"])
    repairs.add_count("samples", bare.sum(), "patients have no sample")
    at_diagnosis = samples.loc[samples["timepoint"] == "diagnosis", "patient_id"]
    known = patients["mycn_status"].notna()
    without = patients.loc[known & ~is_among(patients["patient_id"], at_diagnosis), "patient_id"].reset_index(drop=True)
    if without.empty:
        return samples
    repairs.add_count("samples", len(without), "diagnosis samples added for patients with a MYCN status and none")
    taken = is_among(without, samples["sample_id"])
    added = _diagnosis_samples(without).assign(sample_id=without.mask(taken, without + "-diagnosis"))
    return pd.concat([samples, added], ignore_index=True)


def _diagnosis_samples(patient_ids: pd.Series) -> pd.DataFrame:
    ids = patient_ids.reset_index(drop=True)
    frame = pd.DataFrame({"sample_id": ids, "patient_id": ids})
    return frame.assign(
        timepoint=pd.Series("diagnosis", index=frame.index, dtype="str"),
        purity=pd.Series(float("nan"), index=frame.index, dtype="float64"),
    )


def _layer_assays(layers: Mapping[str, pd.DataFrame], metadata: Mapping[str, Any]) -> list[pd.DataFrame]:
    """Return the rows of ``assays`` that the samples of the layers stand for."""
    about = metadata.get("layers", {})
    return [
        assay_rows(
            layer.columns,
            layer_assay(name),
            about.get(name, {}).get("genome_build"),
            about.get(name, {}).get("platform"),
        )
        for name, layer in layers.items()
    ]


def _complete_assays(tables: dict[str, pd.DataFrame], of_layers: list[pd.DataFrame]) -> pd.DataFrame:
    found = [*of_layers]
    found += [
        assay_rows(sample_ids_of(name, tables[name]), assay) for name, assay in ASSAY_OF.items() if name in tables
    ]
    patients, samples = tables["patients"], tables["samples"]
    known = patients.loc[patients["mycn_status"].notna(), "patient_id"]
    tested = samples[(samples["timepoint"] == "diagnosis") & is_among(samples["patient_id"], known)]
    first = tested.sort_values("sample_id").drop_duplicates("patient_id")["sample_id"]
    found.append(assay_rows(first, "fish"))
    assays = join_assay_rows(tables.get("assays"), pd.concat(found, ignore_index=True))
    build = assays.groupby("assay")["genome_build"].transform("first")
    return assays.assign(genome_build=assays["genome_build"].fillna(build).astype("str"))


def _platforms(cohort: Cohort) -> dict[str, Any]:
    if cohort.segments is None or cohort.segments.empty:
        return {}
    from nbrelapse.cohort.log2_scale import estimate_platform_scales

    return {"platforms": estimate_platform_scales(cohort.segments, cohort.assays, cohort.samples)}


# "-" is an allele: nothing, in an insertion or deletion.
_ALLELES = {"Reference_Allele", "Tumor_Seq_Allele2"}
_CHROMOSOME = {"chromosome", "Chromosome", "site1_chromosome", "site2_chromosome"}
_SYMBOL = {"Hugo_Symbol", "site1_gene", "site2_gene", "gene"}
_UNKNOWN_AS_MINUS_1 = {"site1_position", "site2_position"}
_POSITIONS = {"start", "end", "Start_Position", "End_Position", *_UNKNOWN_AS_MINUS_1}
_ON_CHROMOSOMES = {"segments": "chromosome", "mutations": "Chromosome"}
_NEEDLESS_WITHOUT = {"segments": ("log2_ratio", "a log2 ratio"), "mutations": ("Hugo_Symbol", "a gene")}


def normalise_table(name: str, table: pd.DataFrame, file: str | Path, repairs: Repairs) -> pd.DataFrame:
    """Return the table as the schema wants it; absent columns are added empty.

    Segments without a ratio, mutations without a gene, and both on contigs of the reference genome are left out.

    Parameters
    ----------
    name : str
        Table name, a key of ``nbrelapse.cohort.schema.TABLES``.
    table : DataFrame
    file : path
        For error messages.
    repairs : Repairs
        What was changed is added.

    Returns
    -------
    DataFrame
        Its index is the raw table's, so that later messages can name the rows of the file. Texts may be categorical
        where the raw ones are.

    Raises
    ------
    InputError
        An unknown column, or a value that is neither legal nor a word for "not known".
    """
    schema = TABLES[name]
    unknown = [str(column) for column in table.columns if column not in schema.columns]
    if unknown:
        raise InputError(
            "unknown column",
            file=file,
            column=", ".join(unknown),
            expected=", ".join(map(str, schema.columns)),
            fix="correct its name or remove it",
        )
    wanted = [str(column) for column, rule in schema.columns.items() if not rule.nullable]
    found = ", ".join(map(str, table.columns[:20]))
    require_columns(table.columns, wanted, file, fix=f"columns found: {found}")
    columns = {}
    for column, rule in schema.columns.items():
        kind = _kind(rule)
        if column in table:
            columns[str(column)] = _normalise_column(table[column], kind, name, file, repairs)
        else:
            columns[str(column)] = _empty_column(kind, table.index)
    ready = pd.DataFrame(columns, index=table.index, copy=False)
    return _without_needless(name, ready, repairs)


def _empty_column(kind: str, index: pd.Index) -> pd.Series:
    return pd.Series(pd.NA if kind == "boolean" else np.nan, index, kind)


def _without_needless(name: str, table: pd.DataFrame, repairs: Repairs) -> pd.DataFrame:
    if name in _NEEDLESS_WITHOUT:
        column, what = _NEEDLESS_WITHOUT[name]
        empty = table[column].isna()
        if empty.any():
            repairs.add_count(name, int(empty.sum()), f"rows without {what} removed")
            table = table[~empty]
    if name in _ON_CHROMOSOMES:
        contig = _on_contigs(table[_ON_CHROMOSOMES[name]])
        if contig.any():
            repairs.add_count(name, int(contig.sum()), "rows on contigs outside the chromosomes left out")
            table = table[~contig]
    return table


def _normalise_column(raw: pd.Series, kind: str, table: str, file: str | Path, repairs: Repairs) -> pd.Series:
    column = str(raw.name)
    where = f"{table}.{column}"
    if column in _ALLELES:
        _checked_text(raw, column, file)
        return _map_distinct(raw, _allele)
    if column in _CHROMOSOME:
        return normalise_chromosomes(raw, file=file)
    if column == "log2_ratio":
        return normalise_numbers(_without_log_of_0(raw, where, repairs), file=file)
    if column in _POSITIONS:
        positions = _whole(normalise_numbers(raw, file=file), file)
        return _without_minus_1(positions, where, repairs) if column in _UNKNOWN_AS_MINUS_1 else positions
    if column in _SYMBOL:
        symbols = _repair_symbols(_checked_text(raw, column, file), where, file, repairs)
        return _read_identifiers(symbols, where, repairs, leave_out=False)
    if column in coded_columns():
        ready = normalise_levels(raw, column, file=file)
        _record(raw, ready, where, repairs)
        if kind == "boolean":
            return ready.map({"true": True, "false": False}).astype("boolean")
        return ready.astype("float64") if kind == "float64" else ready
    return normalise_numbers(raw, file=file) if kind == "float64" else _checked_text(raw, column, file)


_LOG_OF_0 = -30.0
"""Below it a log2 ratio stands for the logarithm of 0, which software writes as -Inf or as -1022, its smallest number.
Every tumour has normal cells among its own, so that no ratio is 0: nothing was measured there."""


def _without_log_of_0(raw: pd.Series, where: str, repairs: Repairs) -> pd.Series:
    numbers = raw if pd.api.types.is_numeric_dtype(raw) else pd.to_numeric(as_text(raw), errors="coerce")
    nothing = (numbers < _LOG_OF_0).fillna(False).astype(bool)
    repairs.add_count(where, nothing.sum(), f"values below {_LOG_OF_0:g} stand for the log2 of 0, read as not measured")
    return raw.astype("object").mask(nothing) if nothing.any() else raw


def _whole(positions: pd.Series, file: str | Path) -> pd.Series:
    refuse_rows(
        positions.index,
        (np.floor(positions) < positions).to_numpy(),
        "a position between two bases",
        file=file,
        column=str(positions.name),
        expected="a whole number",
        fix="correct the value, or leave it empty where it is not known",
    )
    return positions


def _without_minus_1(numbers: pd.Series, where: str, repairs: Repairs) -> pd.Series:
    """BEDPE and tables made from it write -1 for a position that is not known (bedtools, BEDPE format)."""
    unknown = numbers == -1
    repairs.add_count(where, unknown.sum(), "positions of -1 read as not known")
    return numbers.mask(unknown)


def _allele(raw: pd.Series) -> pd.Series:
    text = raw.astype("str").str.strip('" \xa0')
    return as_text(text).mask(text == "-", "-")


def _record(raw: pd.Series, ready: pd.Series, where: str, repairs: Repairs) -> None:
    """Note the values that were read as another level; words for "not known" are not repairs."""
    text = as_text(raw)
    changed = text.notna() & (text.str.lower() != ready.str.lower())
    if not changed.any():
        return
    pairs = (text[changed] + "' read as '" + ready[changed]).value_counts().sort_index()
    for pair, count in pairs.items():
        repairs.add(where, f"'{pair}' ({count})")


def normalise_matrix(matrix: pd.DataFrame, file: str | Path, repairs: Repairs, *, calls: bool = False) -> pd.DataFrame:
    """Return a gene by sample table of float64, one row a gene.

    Ensembl and Entrez identifiers become symbols; rows without a symbol, and identifiers of several genes or of none,
    are removed. Of rows with the same symbol each sample keeps its largest value (the strongest probe or transcript),
    or with ``calls`` the one farthest from 0 (the strongest copy-number change). All is recorded in ``repairs``.

    Raises
    ------
    InputError
        A sample is there twice, a value is neither a number nor a word for "not known", or the rows are no genes.
    """
    numbers = _matrix_numbers(matrix, file)
    if calls:
        numbers = _possible_ratios(numbers, file, repairs)
    _refuse_infinite(numbers, file)
    name = Path(str(file)).name
    genes = _checked_text(pd.Series(matrix.index, dtype="str", name="Hugo_Symbol"), "Hugo_Symbol", file)
    unnamed = int(genes.isna().sum())
    repairs.add_count(name, unnamed, "rows without a gene symbol removed")
    genes = _read_identifiers(_repair_symbols(genes, name, file, repairs), name, repairs, leave_out=True)
    _require_genes(genes, file)
    numbers.index = pd.Index(genes, name="Hugo_Symbol", dtype="str")
    if genes.hasnans:
        numbers = numbers[genes.notna().to_numpy()]
    if numbers.index.has_duplicates:
        repeated = numbers.index.duplicated()
        repairs.add_count(name, repeated.sum(), "repeated genes removed, in each sample the largest value kept")
        numbers = _largest(numbers, repeated, calls)
    return numbers


def _possible_ratios(calls: pd.DataFrame, file: str | Path, repairs: Repairs) -> pd.DataFrame:
    """Leave out ratios that stand for the logarithm of 0, and refuse what is none; as for segments."""
    nothing = calls < _LOG_OF_0
    note = f"values below {_LOG_OF_0:g} stand for the log2 of 0, read as not measured"
    repairs.add_count(Path(str(file)).name, int(nothing.to_numpy().sum()), note)
    refuse_rows(
        calls.index,
        (calls > _HIGHEST).any(axis=1),
        f"a log2 ratio above {_HIGHEST:g}",
        file=file,
        expected="levels of -2 to 2, or log2 ratios to a normal genome, which lie around 0",
        fix="give log2(ratio); leave the cell empty where nothing was measured",
    )
    return calls.mask(nothing)


def _largest(numbers: pd.DataFrame, repeated: np.ndarray, calls: bool) -> pd.DataFrame:
    """Keep one row a gene, the largest value of each sample: other samples must not decide."""
    shared = numbers.index.isin(numbers.index[repeated])
    grouped = numbers[shared].groupby(level=0, sort=False)
    high, low = grouped.max(), grouped.min()
    chosen = high.where(high.abs() >= low.abs(), low) if calls else high
    kept = numbers[~repeated].copy()
    kept.loc[chosen.index] = chosen
    return kept


def assay_rows(
    sample_ids: Iterable[str], assay: str, build: str | None = None, platform: str | None = None
) -> pd.DataFrame:
    """Return a row for each sample that was looked at, also for those in which nothing was found.

    Parameters
    ----------
    sample_ids : iterable of str
        Repetitions count once.
    assay : str
    build, platform : str, optional

    Returns
    -------
    DataFrame
        The columns of ``assays``, empty where nothing is said.

    Examples
    --------
    >>> assay_rows(["a", "a"], "mutations", "hg38").values.tolist()
    [['a', 'mutations', 'hg38', nan, nan, nan]]
    """
    distinct = pd.Series(list(dict.fromkeys(sample_ids)), dtype="str")
    missing = float("nan")
    said = {"assay": assay, "genome_build": build or missing, "platform": platform or missing}
    columns = {"sample_id": distinct}
    for name in [str(name) for name in _ASSAYS.columns if name not in columns]:
        dtype = "float64" if name == "covered_mb" else "str"
        columns[name] = pd.Series(said.get(name, missing), distinct.index, dtype=dtype)
    return pd.DataFrame(columns)


def sample_ids_of(name: str, table: pd.DataFrame) -> pd.Series:
    """Return the distinct samples of a molecular table, as it spells them.

    Examples
    --------
    >>> sample_ids_of("mutations", pd.DataFrame({"sample_id": ["b", "a", "b"]})).tolist()
    ['b', 'a']
    """
    ids = pd.Series(table.columns) if name in MATRICES else table["sample_id"]
    return pd.Series(ids.unique(), dtype="str")


def join_assay_rows(given: pd.DataFrame | None, found: pd.DataFrame) -> pd.DataFrame:
    """Add to what a study says the rows that it does not have.

    Parameters
    ----------
    given : DataFrame or None
        Rows of ``assays`` of the study's own; they win, and stay as they are, repetitions included.
    found : DataFrame
        Rows of ``assays``.

    Returns
    -------
    DataFrame
        Numbered anew.

    Examples
    --------
    >>> said = assay_rows(["a"], "mutations", "hg19")
    >>> join_assay_rows(said, assay_rows(["a", "b"], "mutations"))["genome_build"].tolist()
    ['hg19', nan]
    """
    joined = found if given is None else pd.concat([given, found], ignore_index=True)
    own = 0 if given is None else len(given)
    repeated = joined.duplicated(["sample_id", "assay"]).to_numpy() & (np.arange(len(joined)) >= own)
    return joined[~repeated].reset_index(drop=True)
