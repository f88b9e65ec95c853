"""A cohort folder read block by block of patients, where all of it is too much for memory or is shared by processes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from nbrelapse.cohort.check import validate_cohort
from nbrelapse.cohort.cohort import Cohort, _rows_of_patients
from nbrelapse.cohort.layers import Layers, _layer_file
from nbrelapse.cohort.select import take_where
from nbrelapse.cohort.storage import (
    _block_numbers,
    _check_blocks,
    _cohort_settings,
    _read_columns,
    _read_tables,
    _with_texts,
    read_cohort,
)


@dataclass(frozen=True)
class CohortBlock:
    """Some patients of a cohort folder, not read yet: small, and can be sent to another process.

    Parameters
    ----------
    folder : Path
    number : int or None
        Of the block; None for all patients.
    metadata : mapping
        Of the whole cohort.
    patient_ids : Series of str, optional
        Those that are left of the block after a selection.
    """

    folder: Path
    number: int | None
    metadata: Mapping[str, Any]
    patient_ids: pd.Series | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        # Another process may have another working directory: one of joblib keeps the one that it was started in.
        return CohortBlock, (self.folder.absolute(), self.number, self.metadata, self.patient_ids)

    def read(self) -> Cohort:
        """Read the patients, with all rows of theirs.

        Returns
        -------
        Cohort
            Validated, with the metadata of the whole cohort. A matrix in which none of these patients has a sample has
            its genes and no column: that there is expression, and of which genes, is known of a block too.

        Raises
        ------
        InputError
            As :func:`nbrelapse.cohort.read_cohort` does; the message names the file of the block.
        """
        cohort = read_cohort(self.folder) if self.number is None else self._read_block(self.number)
        cohort = replace(cohort, metadata=self.metadata)
        return cohort if self.patient_ids is None else _rows_of_patients(cohort, self.patient_ids)

    def _read_block(self, number: int) -> Cohort:
        settings = _cohort_settings(self.folder)
        cohort, files = _read_tables(self.folder, settings, [number])
        layer_files = {name: _layer_file(self.folder, name) for name in settings.get("layers", [])}
        layers = Layers.of_files(layer_files).take(cohort.samples["sample_id"])
        # That times are days was seen of all patients; those of one block may well be short.
        checked = replace(cohort, layers=layers, metadata={**cohort.metadata, "units_checked": True})
        return _with_texts(validate_cohort(checked, files | layer_files))


@dataclass(frozen=True)
class StoredCohort:
    """A cohort folder as blocks of patients, in the order of the cohort; opened by :func:`open_cohort`.

    Parameters
    ----------
    folder : Path
    metadata : mapping
    tables : tuple of str
        Names of the tables that it has.
    blocks : tuple of CohortBlock
    """

    folder: Path
    metadata: Mapping[str, Any]
    tables: tuple[str, ...]
    blocks: tuple[CohortBlock, ...]

    def whole(self) -> StoredCohort:
        """Return the same patients as one block, for what needs all of them at once."""
        ids = [block.patient_ids for block in self.blocks if block.patient_ids is not None]
        one = CohortBlock(self.folder, None, self.metadata, pd.concat(ids, ignore_index=True) if ids else None)
        return replace(self, blocks=(one,))

    def columns(self, table: str, columns: Sequence[str]) -> pd.DataFrame:
        """Read some columns of a long table as they are stored, of all patients of the folder.

        Parameters
        ----------
        table : str
            Such as ``assays``.
        columns : sequence of str

        Returns
        -------
        DataFrame
            Codes, as of the platform, are categorical.
        """
        return _read_columns(self.folder, table, _block_numbers(_cohort_settings(self.folder)), columns)

    def where(self, condition: str, *, barred: Collection[str] = ()) -> StoredCohort:
        """Keep the patients of whom a condition is true, as :func:`nbrelapse.cohort.take_where` does.

        Clinical data, samples and assays of all patients are read for it, and no molecular table.

        Parameters
        ----------
        condition : str
        barred : collection of str
            Columns that it must not read.

        Returns
        -------
        StoredCohort
            Without the blocks of which nobody is left.

        Raises
        ------
        InputError
            As :func:`nbrelapse.cohort.take_where` does.
        """
        settings = _cohort_settings(self.folder)
        numbers = _block_numbers(settings)
        layers = Layers.of_files({name: _layer_file(self.folder, name) for name in settings.get("layers", [])})
        light, _ = _read_tables(self.folder, {**settings, "tables": ["patients", "samples", "assays"]}, numbers)
        kept = take_where(replace(_with_texts(light), metadata=self.metadata, layers=layers), condition, barred=barred)
        blocks = []
        for block in self.blocks:
            ids = _read_columns(self.folder, "patients", [block.number], ["patient_id"])["patient_id"]
            if len(own := ids[kept.patient_ids.get_indexer(pd.Index(ids)) >= 0]):
                blocks.append(replace(block, metadata=kept.metadata, patient_ids=own.astype("str")))
        return replace(self, metadata=kept.metadata, blocks=tuple(blocks))


def open_cohort(folder: str | Path) -> StoredCohort:
    """Open a cohort folder to read it block by block.

    What can be seen of all patients only is checked here: that none is there twice, that an assay has one genome
    build, that times are days. Each block is validated when it is read.

    Parameters
    ----------
    folder : path
        As :func:`nbrelapse.cohort.write_cohort` writes it. Cohorts of few patients, and folders of earlier versions,
        are one block.

    Returns
    -------
    StoredCohort

    Raises
    ------
    InputError
        The folder is no cohort or of an unknown format, or a check fails.

    Examples
    --------
    >>> import tempfile
    >>> from nbrelapse.cohort import write_cohort
    >>> from nbrelapse.simulation import simulate_cohort
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     stored = open_cohort(write_cohort(simulate_cohort(60, seed=1), f"{folder}/cohort", block_size=25))
    ...     [len(block.read().patients) for block in stored.blocks]
    [25, 25, 10]
    """
    path = Path(folder)
    settings = _cohort_settings(path)
    metadata, numbers = settings.get("metadata", {}), _block_numbers(settings)
    if numbers != [None]:
        _check_blocks(path, settings)
    blocks = tuple(CohortBlock(path, number, metadata) for number in numbers)
    return StoredCohort(path, metadata, tuple(settings["tables"]), blocks)
