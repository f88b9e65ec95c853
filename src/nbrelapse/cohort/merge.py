"""Several cohorts as one: each patient once, tables and matrices aligned, nothing made of what was not measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.cohort.check import validate_cohort
from nbrelapse.cohort.cohort import Cohort, counted
from nbrelapse.cohort.genes import canonical_symbols
from nbrelapse.cohort.layer_rows import RANKED_UNITS
from nbrelapse.cohort.layers import layer_assay
from nbrelapse.cohort.schema import ASSAY_OF, LAYER, MATRICES, PATIENTS, TABLES
from nbrelapse.cohort.shared_patients import UNCERTAIN, _shared_patients
from nbrelapse.cohort.storage import read_cohort
from nbrelapse.errors import InputError

_OUTCOME = ["event", "event_days", "death", "followup_days"]
_NOT_FILLED = {"patient_id", "study", "split", *_OUTCOME}
_CLINICAL = [str(name) for name in PATIENTS.columns if name not in {*_NOT_FILLED, "diagnosis_year", "primary_site"}]
_UNKNOWN = "unknown"
"""How the scales of platforms name one that is not recorded."""


def merge_cohorts(cohorts: Sequence[Cohort], *, name: str | None = None, uncertain: str = "stop") -> Cohort:
    """Make one cohort of several, each patient once, and say in ``metadata`` what was done.

    **Studies.** ``study`` of a patient stays where it is recorded, and is the cohort's name where it is not.

    **Patients in two cohorts** are looked for study by study (:func:`nbrelapse.cohort.find_overlap`). One who is surely
    in both stands once, with the record, study and split of the cohort named first; of the later record come values
    that the first lacks, the outcome only where the first has none, and assays that the first does not have at that
    time point. Where more look the same than chance makes, without an event or a last visit on the same days, it is not
    sure who they are; see `uncertain`.

    **Identifiers** of patients and samples that two cohorts use for different ones get the cohort's name in front,
    ``NAME:ID``; so do panels of other genes, and copy-number platforms, whose scale is each study's own.

    **Matrices.** Genes are matched by their current symbols. Copy number by gene has the genes of all cohorts, NaN
    where one did not measure them. Expression has the genes that all cohorts with expression measured: features are
    ranks within a sample, and ranks among other genes are not comparable. Layers are joined by name, in the same way:
    those that are ranked have the rows that all cohorts with the layer measured, others the rows of each.

    Parameters
    ----------
    cohorts : sequence of Cohort
        At least two, with names of their own.
    name : str, optional
        The names joined by " + " by default.
    uncertain : {"stop", "join", "keep"}
        What to do where it is not sure who is in two cohorts: refuse, take those who agree for one patient each, or for
        two.

    Returns
    -------
    Cohort
        ``metadata["source"]`` names the cohorts, how many patients each had and how many it added; ``repairs`` says
        what was joined, renamed and left out.

    Raises
    ------
    InputError
        There are fewer than two cohorts or two of one name, one is not valid, coordinates are of different genome
        builds, copy number by gene is discrete in one and a log2 ratio in another, a layer has another unit or finds
        its mechanisms in another way, nothing is measured in more than
        one, or it is not sure who is in two of them.

    Examples
    --------
    >>> from nbrelapse.cohort import assemble_cohort
    >>> rows = {"patient_id": ["1", "2"], "age_days": [400, 900], "event": ["none", "relapse"], "event_days": [900, 80]}
    >>> one = assemble_cohort("one", {"patients": pd.DataFrame(rows)})
    >>> two = assemble_cohort("two", {"patients": pd.DataFrame(rows | {"age_days": [650, 1300]})})
    >>> merge_cohorts([one, two]).patients[["patient_id", "study"]].values.tolist()
    [['one:1', 'one'], ['one:2', 'one'], ['two:1', 'two'], ['two:2', 'two']]
    """
    if uncertain not in UNCERTAIN:
        raise InputError(f"illegal value {uncertain!r}", column="uncertain", expected=", ".join(UNCERTAIN))
    _refuse_other_than_studies(cohorts)
    parts = [_Part.of(cohort) for cohort in cohorts]
    _refuse_other_builds(parts)
    _refuse_other_units(parts)
    _refuse_other_layers(parts)
    _refuse_nothing_shared(parts)
    notes = _join_patients(parts, uncertain)
    notes += _rename_shared_ids(parts)
    notes += _rename_panels(parts) + _rename_platforms(parts)
    tables, said = _joined(parts)
    layers, more = _joined_layers(parts)
    metadata = _metadata(parts, notes + said + more)
    merged = Cohort(name or " + ".join(part.name for part in parts), **tables, metadata=metadata, layers=layers)
    return validate_cohort(merged)


@dataclass
class _Part:
    """One of the cohorts, changed step by step until its tables can be put under the others'.

    Parameters
    ----------
    name : str
    metadata : mapping
    tables, matrices : dict of str to DataFrame
        By name; layers are matrices, by the name of their assay.
    had : int
        How many patients it had.
    person : Series of str
        By own patient id, who that is among all; the final id in the end.
    """

    name: str
    metadata: Mapping[str, Any]
    tables: dict[str, pd.DataFrame]
    matrices: dict[str, pd.DataFrame]
    had: int
    person: pd.Series = field(default_factory=lambda: pd.Series(dtype="str"))

    @classmethod
    def of(cls, cohort: Cohort) -> _Part:
        """Validate a cohort, and give every patient a study."""
        try:
            validate_cohort(cohort)
        except InputError as error:
            raise InputError(
                error.problem,
                file=f"{cohort.name}: {error.file or 'patients'}",
                column=error.column,
                rows=error.rows,
                expected=error.expected,
                fix=error.fix,
            ) from None
        tables = {key: getattr(cohort, key) for key in TABLES if getattr(cohort, key) is not None}
        study = tables["patients"]["study"].fillna(cohort.name).astype("str")
        tables["patients"] = tables["patients"].assign(study=study)
        matrices = {
            key: _by_current_symbol(getattr(cohort, key)) for key in MATRICES if getattr(cohort, key) is not None
        }
        matrices |= {layer_assay(key): layer for key, layer in cohort.layers.items()}
        return cls(cohort.name, cohort.metadata, tables, matrices, len(study))

    def put_name_before(self, column: str, chosen: Callable[[pd.Series], pd.Series]) -> None:
        """Put the cohort's name before some identifiers, in every table with the column, and in the matrices."""

        def new(ids: pd.Series) -> pd.Series:
            return ids.mask(chosen(ids), f"{self.name}:" + ids)

        for key, table in self.tables.items():
            if column in table:
                self.tables[key] = table.assign(**{column: new(table[column]).astype("str")})
        if column == "sample_id":
            for key, matrix in self.matrices.items():
                names = new(pd.Series(matrix.columns, dtype="str"))
                self.matrices[key] = matrix.set_axis(pd.Index(names, dtype="str"), axis=1)

    def keep_samples_of_assays(self) -> None:
        """Leave out data of samples that are not in ``assays`` any more, and samples without an assay."""
        assays = self.tables["assays"]
        for key, assay in (ASSAY_OF | {key: key for key in self.matrices if key.startswith(LAYER)}).items():
            own = set(assays.loc[assays["assay"] == assay, "sample_id"])
            if key in self.matrices:
                matrix = self.matrices[key]
                self.matrices[key] = matrix.loc[:, matrix.columns.isin(own)]
            elif key in self.tables:
                table = self.tables[key]
                self.tables[key] = table[table["sample_id"].isin(own)]


def _refuse_other_than_studies(cohorts: Sequence[Cohort]) -> None:
    if len(cohorts) < 2:
        raise InputError(f"{counted(len(cohorts), 'cohort')} cannot be merged", expected="at least two cohorts")
    twice = [name for name, number in Counter(cohort.name for cohort in cohorts).items() if number > 1]
    if twice:
        raise InputError(
            f"two cohorts are called {twice[0]!r}: the same one twice?",
            column="name",
            expected="cohorts with names of their own, by which their patients are told apart",
            fix="leave one out, or change `name` in its cohort.toml",
        )


def _by_current_symbol(matrix: pd.DataFrame) -> pd.DataFrame:
    """Name rows by current symbols, but where a symbol would stand for two rows."""
    current = canonical_symbols(matrix.index)
    alone = ~current.isin(matrix.index) & ~current.duplicated(keep=False)
    return matrix.set_axis(pd.Index(current.where(alone, matrix.index), name=matrix.index.name, dtype="str"))


def _refuse_other_builds(parts: Sequence[_Part]) -> None:
    rows = pd.concat([part.tables["assays"].assign(cohort=part.name) for part in parts])
    known = rows.dropna(subset=["genome_build"]).drop_duplicates(["cohort", "assay", "genome_build"])
    for assay, found in known.groupby("assay"):
        if len(set(found["genome_build"])) > 1:
            told = ", ".join(found["genome_build"] + " in " + found["cohort"])
            raise InputError(
                f"the coordinates of {str(assay).replace('_', ' ')} are of different genome builds: {told}",
                file="assays",
                column="genome_build",
                expected="one build for all samples of an assay",
                fix="lift the coordinates of one cohort over, and import it again",
            )


_LEVELS = (-2.0, -1.5, -1.0, 0.0, 1.0, 2.0)


def _call_unit(part: _Part) -> str:
    """Say whether copy number by gene is discrete or a log2 ratio: as the study says, else as the values look."""
    unit = part.metadata.get("gene_copy_number", {}).get("unit")
    values = part.matrices["gene_copy_number"].to_numpy()
    return str(unit or ("gistic" if np.isin(values[~np.isnan(values)], _LEVELS).all() else "log2"))


def _refuse_other_units(parts: Sequence[_Part]) -> None:
    units = {part.name: _call_unit(part) for part in parts if "gene_copy_number" in part.matrices}
    if len(set(units.values())) > 1:
        words = {"gistic": "discrete"}
        raise InputError(
            "copy number by gene is of different units: "
            + ", ".join(f"{words.get(unit, unit)} in {name}" for name, unit in units.items()),
            file="gene_copy_number",
            expected="discrete levels in all cohorts, or log2 ratios in all",
            fix="import one of them without its copy number by gene",
        )


def _layers_of(parts: Sequence[_Part]) -> dict[str, dict[str, Mapping[str, Any]]]:
    """Return what each cohort says of each layer that it has samples of."""
    names = dict.fromkeys(key for part in parts for key in part.matrices if key.startswith(LAYER))
    found = {
        name: {
            part.name: part.metadata["layers"][name.removeprefix(LAYER)]
            for part in parts
            if name in part.matrices and part.matrices[name].size
        }
        for name in names
    }
    return {name: said for name, said in found.items() if said}


def _refuse_other_layers(parts: Sequence[_Part]) -> None:
    """Refuse layers of one name that hold something else; ranks compare whatever the unit."""
    for name, said in _layers_of(parts).items():
        for key in ("unit", "mechanism"):
            told = {cohort: str(about[key]) for cohort, about in said.items()}
            alike = set(told.values())
            if len(alike) > 1 and not (key == "unit" and alike <= set(RANKED_UNITS)):
                raise InputError(
                    f"the {name.replace(':', ' ')} differs in its {key}: "
                    + ", ".join(f"{value} in {cohort}" for cohort, value in told.items()),
                    file="cohort.toml",
                    column=f"metadata.layers.{name.removeprefix(LAYER)}",
                    expected=f"one {key} in all cohorts",
                    fix="import one of them with the layer under another name, or without it",
                )


def _joined_layers(parts: Sequence[_Part]) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """Put layers of one name side by side."""
    layers, notes = {}, []
    for name, said in _layers_of(parts).items():
        named = {part.name: part.matrices[name] for part in parts if part.name in said}
        ranked = all(about["unit"] in RANKED_UNITS for about in said.values())
        layers[name.removeprefix(LAYER)], more = _joined_matrix(name.replace(":", " "), named, ranked=ranked)
        notes += more
    return layers, notes


def _about_layers(parts: Sequence[_Part]) -> dict[str, dict[str, Any]]:
    """Say of each layer what the first cohort with it says; of a table of mechanisms the rows of all."""
    found = {}
    for name, said in _layers_of(parts).items():
        listed: dict[str, dict[str, None]] = {}
        owner: dict[str, str] = {}
        for about in said.values():
            for mechanism, rows in about.get("mechanisms", {}).items():
                for row in rows:
                    listed.setdefault(owner.setdefault(row, mechanism), {})[row] = None
        tables = {"mechanisms": {mechanism: list(rows) for mechanism, rows in listed.items()}} if listed else {}
        found[name.removeprefix(LAYER)] = {**next(iter(said.values())), **tables}
    return found


def _refuse_nothing_shared(parts: Sequence[_Part]) -> None:
    """Refuse a cohort in which nothing is known that is known in another."""
    known = []
    for part in parts:
        patients = part.tables["patients"]
        clinical = {name for name in _CLINICAL if patients[name].notna().any()}
        known.append(clinical | {f"assay {assay}" for assay in part.tables["assays"]["assay"].unique()})
    for place, part in enumerate(parts):
        others = set().union(*(found for other, found in enumerate(known) if other != place))
        if not known[place] & others:
            raise InputError(
                f"nothing that is known of the patients of {part.name} is known in another cohort",
                file=part.name,
                expected=f"one at least of {', '.join(_CLINICAL)}, or an assay, in two cohorts",
                fix="leave the cohort out, or import what it shares with the others",
            )


def _join_patients(parts: Sequence[_Part], uncertain: str) -> list[str]:
    """Find who is in two cohorts, keep one record each, and join their assays."""
    notes: list[str] = []
    kept = pd.DataFrame()
    for place, part in enumerate(parts):
        patients = part.tables["patients"]
        same: dict[str, str] = {}
        if place:
            same, said = _shared_patients(_compared("all", kept), _compared(part.name, patients), uncertain)
            notes += said
        own = patients["patient_id"]
        part.person = pd.Series([same.get(id_, f"{place}:{id_}") for id_ in own], index=own, dtype="str")
        shared = own.isin(list(same)).to_numpy()
        everybody = patients.assign(patient_id=part.person.to_numpy())
        kept = _filled(kept, everybody[shared]) if shared.any() else kept
        kept = pd.concat([kept, everybody[~shared]], ignore_index=True)
        part.tables["patients"] = patients[~shared]
    _give_back(parts, kept)
    _leave_out_second_assays(parts)
    return notes


def _compared(name: str, patients: pd.DataFrame) -> Cohort:
    """Wrap patients for the comparison, which reads nothing else."""
    return Cohort(name, patients.reset_index(drop=True), pd.DataFrame(), pd.DataFrame())


def _filled(kept: pd.DataFrame, later: pd.DataFrame) -> pd.DataFrame:
    """Fill what the kept records lack from the later ones of the same patients; the outcome as a whole."""
    found = kept.set_index("patient_id")
    later = later.set_index("patient_id")
    without = found.index[found[_OUTCOME].isna().all(axis=1)].intersection(later.index)
    for column in [name for name in found if name not in _NOT_FILLED]:
        found[column] = found[column].fillna(later[column].reindex(found.index))
    found.loc[without, _OUTCOME] = later.loc[without, _OUTCOME]
    return found.reset_index()[kept.columns]


def _give_back(parts: Sequence[_Part], kept: pd.DataFrame) -> None:
    """Give each part the filled records of the patients that it keeps, under ids that are nobody else's."""
    own = kept["patient_id"].str.partition(":")
    shared = own[2].duplicated(keep=False)
    names = own[0].astype(int).map(dict(enumerate(part.name for part in parts)))
    final = pd.Series(own[2].mask(shared, names + ":" + own[2]).to_numpy(), index=kept["patient_id"], dtype="str")
    for place, part in enumerate(parts):
        records = kept[own[0] == str(place)]
        part.tables["patients"] = records.assign(patient_id=final[records["patient_id"]].to_numpy())
        part.person = part.person.map(final)
        samples = part.tables["samples"]
        part.tables["samples"] = samples.assign(patient_id=samples["patient_id"].map(part.person).astype("str"))


def _leave_out_second_assays(parts: Sequence[_Part]) -> None:
    """Of patients in two cohorts keep one assay of a kind and time point: that of the cohort named first."""
    there: set[tuple[str, ...]] = set()
    for part in parts:
        samples, assays = part.tables["samples"], part.tables["assays"]
        of = samples.set_index("sample_id").reindex(assays["sample_id"])
        keys = list(zip(of["patient_id"], of["timepoint"].fillna(""), assays["assay"], strict=True))
        first = np.array([key not in there for key in keys], dtype=bool)
        there |= set(keys)
        if first.all():
            continue
        gone = set(assays.loc[~first, "sample_id"]) - set(assays.loc[first, "sample_id"])
        part.tables["assays"] = assays[first]
        part.tables["samples"] = samples[~samples["sample_id"].isin(gone)]
        part.keep_samples_of_assays()


def _rename_shared_ids(parts: Sequence[_Part]) -> list[str]:
    """Put the cohort's name in front of sample ids that two cohorts use; say how many ids of each kind have it."""
    used = Counter(id_ for part in parts for id_ in part.tables["samples"]["sample_id"])
    notes = []
    for part in parts:
        prefix = f"{part.name}:"
        part.put_name_before("sample_id", lambda ids: ids.map(used) > 1)
        for key, column in (("patients", "patient_id"), ("samples", "sample_id")):
            number = int(part.tables[key][column].str.startswith(prefix).sum())
            if number:
                notes.append(f"{key}: {number} ids of {part.name} that another cohort uses have {prefix!r} in front")
    return notes


def _rename_panels(parts: Sequence[_Part]) -> list[str]:
    """Tell apart panels of one name that cohorts list with different genes."""
    genes: dict[str, set[frozenset[str]]] = {}
    for part in parts:
        panels = part.tables.get("panels", pd.DataFrame({"panel": [], "gene": []}))
        listed = panels.groupby("panel")["gene"].agg(frozenset)
        for panel in {*listed.index, *part.tables["assays"]["panel"].dropna()}:
            genes.setdefault(str(panel), set()).add(listed.get(panel, frozenset()))
    other = {panel for panel, found in genes.items() if len(found) > 1}
    for part in parts:
        part.put_name_before("panel", lambda ids: ids.isin(other))
    return [f"panels: {panel!r} has other genes in each cohort, and its name in front" for panel in sorted(other)]


def _rename_platforms(parts: Sequence[_Part]) -> list[str]:
    """Tell apart copy-number platforms that two cohorts have: each keeps its own scale of log2 ratios."""
    used = Counter(platform for part in parts for platform in _platforms(part).unique())
    both = {platform for platform, number in used.items() if number > 1}
    for part in parts:
        own, prefix = _platforms(part), f"{part.name}:"
        assays = part.tables["assays"]
        renamed = (prefix + own).where(own.isin(both), own).reindex(assays.index)
        unknown = assays["platform"].isna() & (renamed == _UNKNOWN)
        platform = renamed.mask(unknown).fillna(assays["platform"]).astype("str")
        part.tables["assays"] = assays.assign(platform=platform)
        scales = part.metadata.get("platforms", {})
        part.metadata = {
            **part.metadata,
            "platforms": {prefix + key if key in both else key: scale for key, scale in scales.items()},
        }
    return [f"assays: the copy-number platform {name!r} is scaled in each cohort on its own" for name in sorted(both)]


def _platforms(part: _Part) -> pd.Series:
    assays = part.tables["assays"]
    return assays.loc[assays["assay"] == "copy_number", "platform"].fillna(_UNKNOWN)


def _joined(parts: Sequence[_Part]) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """Put tables under each other, and matrices side by side."""
    tables = {}
    for key in TABLES:
        found = [part.tables[key] for part in parts if key in part.tables]
        if found:
            joined = pd.concat(found, ignore_index=True)
            tables[key] = joined.drop_duplicates(ignore_index=True) if key == "panels" else joined
    notes = []
    for key in MATRICES:
        named = {part.name: part.matrices[key] for part in parts if key in part.matrices and part.matrices[key].size}
        if named:
            tables[key], said = _joined_matrix(key, named, ranked=key == "expression")
            notes += said
    return tables, notes


def _joined_matrix(name: str, matrices: Mapping[str, pd.DataFrame], *, ranked: bool) -> tuple[pd.DataFrame, list[str]]:
    """Put matrices of several cohorts side by side.

    Parameters
    ----------
    name : str
        What they hold.
    matrices : mapping of str to DataFrame
        By cohort: rows of features by samples.
    ranked : bool
        Whether features are ranks among the rows of a sample: then only the rows that all cohorts measured stay, and
        otherwise all of them, NaN where a cohort lacks one.

    Returns
    -------
    DataFrame, list of str
        And what is to be said.

    Raises
    ------
    InputError
        All rows must be in each matrix, and none is.
    """
    measured = {cohort: matrix[matrix.notna().any(axis=1)] for cohort, matrix in matrices.items()}
    joined = pd.concat(measured.values(), axis=1, join="inner" if ranked else "outer", sort=False)
    joined.index.name = next(iter(matrices.values())).index.name
    counts = ", ".join(f"{len(matrix):,} in {cohort}" for cohort, matrix in measured.items())
    of = "rows" if name.startswith("layer ") else "genes"
    if joined.empty:
        raise InputError(
            f"the cohorts share no {of[:-1]} of {name}: {counts}",
            file=name,
            expected=f"{of} that all of them measured: ranks among other {of} are not comparable",
            fix="check their names, or import one of the cohorts without it",
        )
    everywhere = sum(all(row in matrix.index for matrix in measured.values()) for row in joined.index)
    if len(matrices) == 1 or everywhere == max(len(matrix) for matrix in measured.values()):
        return joined, []
    what = "the others left out" if ranked else "the others missing where they were not measured"
    return joined, [f"{name}: {everywhere:,} {of} measured in all cohorts ({counts}), {what}"]


def _metadata(parts: Sequence[_Part], notes: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "source": {
            "reader": "merge",
            "cohorts": [
                {
                    "name": part.name,
                    "patients": part.had,
                    "added": len(part.tables["patients"]),
                    "source": dict(part.metadata.get("source", {})),
                }
                for part in parts
            ],
        },
        "repairs": [
            *(f"merge: {note}" for note in notes),
            *(f"{part.name}: {line}" for part in parts for line in part.metadata.get("repairs", [])),
        ],
        "platforms": {key: scale for part in parts for key, scale in part.metadata.get("platforms", {}).items()},
        "selections": [{"of": part.name, **step} for part in parts for step in part.metadata.get("selections", [])],
        "units_checked": any(part.metadata.get("units_checked", False) for part in parts),
    }
    calls = [_call_unit(part) for part in parts if "gene_copy_number" in part.matrices]
    if calls:
        found["gene_copy_number"] = {"unit": calls[0]}
    found["layers"] = _about_layers(parts)
    told = {part.name: part.metadata.get("expression", {}) for part in parts if "expression" in part.matrices}
    if told:
        found["expression"] = _about_expression(told)
    return {key: value for key, value in found.items() if value or key == "source"}


def _about_expression(told: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Say the unit of the values, of each cohort where they differ: only ranks within a sample are compared."""
    units = {name: str(about.get("unit", "not told")) for name, about in told.items()}
    not_told = sorted({str(about["not_told"]) for about in told.values() if about.get("not_told")})
    same = len(set(units.values())) == 1
    found: dict[str, Any] = {"unit": next(iter(units.values()))} if same else {"unit": "by cohort", "units": units}
    return found | ({"not_told": ", ".join(not_told)} if not_told else {})


def merge_folders(folders: Sequence[str | Path], *, name: str | None = None, uncertain: str = "stop") -> Cohort:
    """Read cohort folders and merge them; see :func:`merge_cohorts`.

    Raises
    ------
    InputError
        A folder is named twice or cannot be read, or the cohorts cannot be merged.
    """
    paths = [Path(folder) for folder in folders]
    twice = [path for path, number in Counter(path.resolve() for path in paths).items() if number > 1]
    if twice:
        raise InputError("a cohort is named twice", file=twice[0], expected="different folders", fix="leave one out")
    return merge_cohorts([read_cohort(path) for path in paths], name=name, uncertain=uncertain)


def is_merged(cohort: Cohort) -> bool:
    """Tell whether a cohort was made of several by :func:`merge_cohorts`."""
    return bool(cohort.metadata.get("source", {}).get("reader") == "merge")
