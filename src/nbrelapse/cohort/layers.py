"""Layers of a cohort: further matrices of its samples, by name, read from their files when they are asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from nbrelapse.cohort.columns import is_among
from nbrelapse.cohort.content import damaged_parquet
from nbrelapse.cohort.schema import _LAYER_NAME, LAYER, TABLES, levels
from nbrelapse.errors import InputError

_FEATURE = "feature"
"""Name of the index of a layer, and of the first column of its file."""
WAYS = ("gene", "coordinates", "gene_set", "table", "none")
"""How the rows of a layer find a mechanism: ``mechanism`` of a layer in ``cohort.toml``."""
_LONGEST_NAME = 60
_FOLDER = "layers"


def check_layer_name(name: str, file: str | Path | None = None) -> str:
    """Refuse a name that no layer can have: it is a file's name, an assay's and a part of names of features.

    Parameters
    ----------
    name : str
    file : path, optional
        For the error message.

    Returns
    -------
    str
        The name.

    Raises
    ------
    InputError
        It is too long, has other characters, or is the name of a table or an assay, `gene` or `all`.

    Examples
    --------
    >>> check_layer_name("splice_junctions")
    'splice_junctions'
    >>> check_layer_name("../junctions")
    Traceback (most recent call last):
    ...
    nbrelapse.errors.InputError: illegal name of a layer '../junctions'
      column: layers
      expected: lower-case letters and digits, words joined by single underscores, at most 60 characters
      fix: rename the layer
    """
    taken = {*TABLES, *levels("assay"), "gene", "all", "gene_copy_number"}
    if not _LAYER_NAME.fullmatch(name) or len(name) > _LONGEST_NAME or name in taken:
        raise InputError(
            f"illegal name of a layer {name!r}",
            file=file,
            column="layers",
            expected="lower-case letters and digits, words joined by single underscores, at most "
            f"{_LONGEST_NAME} characters" + ("; this one means something else" if name in taken else ""),
            fix="rename the layer",
        )
    return name


def layer_assay(name: str) -> str:
    """Return the assay that the samples of a layer were looked at with.

    Examples
    --------
    >>> layer_assay("junctions")
    'layer:junctions'
    """
    return f"{LAYER}{name}"


def _layer_file(folder: str | Path, name: str) -> Path:
    """Return where a layer stands in the folder of a cohort."""
    return Path(folder) / _FOLDER / f"{name}.parquet"


@dataclass(frozen=True)
class _Source:
    """A layer that may not have been read yet.

    Parameters
    ----------
    held : DataFrame or path
        The layer, or its file.
    samples : Index of str
        Those that are left of it, in its order.
    n_rows : int
    state : tuple of int
        Size and time of the file when its header was read; empty of a layer in memory.
    """

    held: pd.DataFrame | Path
    samples: pd.Index
    n_rows: int
    state: tuple[int, ...] = ()

    def read(self) -> pd.DataFrame:
        if isinstance(self.held, pd.DataFrame):
            return self.held if len(self.samples) == self.held.shape[1] else self.held[self.samples.tolist()]
        return self._read(self.held, self.samples)

    def rows(self) -> pd.Index:
        return self.held.index if isinstance(self.held, pd.DataFrame) else self._read(self.held, []).index

    def _read(self, file: Path, samples: Iterable[str]) -> pd.DataFrame:
        if _state(file) != self.state:
            raise InputError("the layer has changed since the cohort was read", file=file, fix="read the cohort again")
        try:
            columns = [_FEATURE, *samples]
            table = pq.read_table(file, columns=columns, memory_map=True, page_checksum_verification=True)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise damaged_parquet(error, file) from None
        frame = table.to_pandas(split_blocks=True, self_destruct=True)
        frame = frame.set_axis(pd.Index(frame.pop(_FEATURE), dtype="str", name=_FEATURE), axis=0)
        _check_frame(frame, file)
        return frame


class Layers(Mapping[str, pd.DataFrame]):
    """Layers by name; one in a file is read when it is asked for, and of it the samples that are left.

    Parameters
    ----------
    layers : mapping of str to DataFrame
        A row a feature of the layer, with its name in the index; a column a sample.

    Examples
    --------
    >>> layers = Layers({"proteins": pd.DataFrame({"s1": [0.1], "s2": [0.4]}, index=["ALK"])})
    >>> layers.take(["s2"])["proteins"].columns.tolist()
    ['s2']
    """

    def __init__(self, layers: Mapping[str, pd.DataFrame] | None = None) -> None:
        given = {} if layers is None else layers
        self._sources: dict[str, _Source] = (
            dict(given._sources)
            if isinstance(given, Layers)
            else {name: _Source(frame, frame.columns, len(frame)) for name, frame in given.items()}
        )

    @classmethod
    def of_files(cls, files: Mapping[str, Path]) -> Layers:
        """Return the layers of some Parquet files; only their headers are read.

        Raises
        ------
        InputError
            A file is missing or damaged, or is no layer.
        """
        found = cls()
        found._sources = {name: _source_of(file) for name, file in files.items()}
        return found

    def __getitem__(self, name: str) -> pd.DataFrame:
        source = self._sources[name]
        frame = source.read()
        if isinstance(source.held, Path):
            self._sources[name] = replace(source, held=frame, state=())
        return frame

    def __iter__(self) -> Iterator[str]:
        return iter(self._sources)

    def __len__(self) -> int:
        return len(self._sources)

    def __repr__(self) -> str:
        shapes = (f"{name} {self.n_rows(name):,} x {len(self.samples(name)):,}" for name in self)
        return f"Layers({', '.join(shapes)})"

    def samples(self, name: str) -> pd.Index:
        """Sample ids of a layer; nothing else is read of it."""
        return self._sources[name].samples

    def n_rows(self, name: str) -> int:
        """Return how many features a layer has; nothing else is read of it."""
        return self._sources[name].n_rows

    def rows(self, name: str) -> pd.Index:
        """Names of a layer's features; nothing else is read of it."""
        return self._sources[name].rows()

    def check(self, name: str, file: str | Path) -> None:
        """Refuse a layer with a sample or row twice, or values that are no numbers; nothing is read of one in a file.

        Raises
        ------
        InputError
            What is in a file is looked at when it is read.
        """
        source = self._sources[name]
        if source.samples.has_duplicates:
            raise InputError("a sample is there twice", file=file, column=f"layer {name}")
        if isinstance(source.held, pd.DataFrame):
            _check_frame(source.held, file)

    def take(self, sample_ids: pd.Series | list[str]) -> Layers:
        """Keep some of the samples, and the layers that have any; nothing is read or copied before it is asked for."""
        wanted, found = pd.Series(sample_ids, dtype="str"), Layers()
        for name, source in self._sources.items():
            kept = source.samples[is_among(pd.Series(source.samples), wanted)]
            if len(kept):
                found._sources[name] = replace(source, samples=kept)
        return found


def as_layers(layers: Mapping[str, pd.DataFrame]) -> Layers:
    """Return layers as such where they are a plain mapping."""
    return layers if isinstance(layers, Layers) else Layers(layers)


def _check_frame(frame: pd.DataFrame, file: str | Path) -> None:
    if frame.index.has_duplicates or frame.index.hasnans or frame.index.name != _FEATURE:
        problem = "duplicated or empty name of a row" if frame.index.name == _FEATURE else "the rows have no names"
        raise InputError(problem, file=file, column=_FEATURE, fix="see nbrelapse.cohort.normalise_layer")
    wrong = [place for place, dtype in enumerate(frame.dtypes, 1) if dtype not in ("float32", "float64")]
    if wrong:
        raise InputError(
            "values that are not numbers", file=file, column=f"sample column {wrong[0]}", expected="numbers"
        )


def _state(file: Path) -> tuple[int, ...]:
    try:
        found = file.stat()
    except OSError:
        return ()
    return found.st_size, found.st_mtime_ns


_AGAIN = "import the cohort again"


def _source_of(file: Path) -> _Source:
    if not file.is_file():
        raise InputError("the file does not exist", file=file, fix=_AGAIN)
    try:
        header = pq.read_schema(file, memory_map=True)
        n_rows = pq.read_metadata(file, memory_map=True).num_rows
    except (pa.ArrowException, OSError, ValueError) as error:
        raise damaged_parquet(error, file) from None
    if _FEATURE not in header.names:
        raise InputError("the column of the rows' names is missing", file=file, column=_FEATURE, fix=_AGAIN)
    samples = [name for name in header.names if name != _FEATURE]
    wrong = [place for place, name in enumerate(samples, 1) if not pa.types.is_floating(header.field(name).type)]
    if wrong:
        raise InputError(
            "values that are not numbers", file=file, column=f"sample column {wrong[0]}", expected="numbers"
        )
    # Read later, perhaps after the working directory has changed.
    return _Source(file.absolute(), pd.Index(samples, dtype="str"), n_rows, _state(file))
