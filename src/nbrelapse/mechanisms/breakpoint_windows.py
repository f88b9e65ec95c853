"""Places in the genome in which a catalogue entry looks for breakpoints."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from nbrelapse.errors import InputError
from nbrelapse.mechanisms.genome import AUTOSOMES, BUILDS

CHROMOSOMES = (*AUTOSOMES, "X", "Y")
Window = tuple[str, int, int]


def breakpoint_windows(
    written: Mapping[str, str | Sequence[str]], genes: Sequence[str], where: str
) -> dict[str, list[Window]]:
    """Read the windows of an entry.

    Parameters
    ----------
    written : dict of str to str or list of str
        By genome build ``"chromosome:start-end"``, both ends included; a list has one a gene.
    genes : sequence of str
    where : str
        The entry, for error messages.

    Returns
    -------
    dict of str to list of (chromosome, start, end)
        In the order of `genes`.

    Raises
    ------
    InputError
        A build or chromosome does not exist, a window is no such text, ends before it starts, or is not there for each
        gene.

    Examples
    --------
    >>> breakpoint_windows({"hg19": "5:1203262-1345184"}, ["TERT"], "[telomere.tert_rearrangement]")
    {'hg19': [('5', 1203262, 1345184)]}
    """
    if not isinstance(written, Mapping):
        raise _illegal("windows are not given by genome build", where)
    foreign = [build for build in written if build not in BUILDS]
    if foreign:
        raise InputError(
            f"unknown genome build {', '.join(foreign)!r}", file="catalogue", column=where, expected=" or ".join(BUILDS)
        )
    windows = {}
    for build, given in written.items():
        texts = [given] if isinstance(given, str) else list(given)
        if len(texts) != len(genes):
            raise InputError(
                f"{len(texts)} windows for {len(genes)} genes",
                file="catalogue",
                column=where,
                expected="one a gene, in their order",
            )
        windows[build] = [_window(text, where) for text in texts]
    return windows


def _window(text: str, where: str) -> Window:
    found = re.fullmatch(r"(\w+):(\d+)-(\d+)", str(text))
    if found is None or found[1] not in CHROMOSOMES or int(found[2]) > int(found[3]):
        raise _illegal(f"{text!r} is no window", where)
    return found[1], int(found[2]), int(found[3])


def _illegal(problem: str, where: str) -> InputError:
    expected = 'hg19 = "5:1203262-1345184": chromosome without chr, first and last base'
    return InputError(problem, file="catalogue", column=where, expected=expected)
