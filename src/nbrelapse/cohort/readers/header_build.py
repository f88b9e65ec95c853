"""The genome build that the header of a VCF or BEDPE tells."""

from __future__ import annotations

import re
from collections.abc import Iterable

from nbrelapse.cohort.genome_builds import genome_landmarks

NAMES = {"hg19": r"hg[-_]?19|grch[-_]?37|hs37|(?:b|_v)37", "hg38": r"hg[-_]?38|grch[-_]?38|hs38|b38"}


def header_build(lines: Iterable[str]) -> str | None:
    """Return the genome build of a file.

    Parameters
    ----------
    lines : iterable of str
        Its ``##`` lines.

    Returns
    -------
    {"hg19", "hg38"} or None
        By the lengths of the chromosomes; without them by the names in ``##reference`` and ``assembly=``. None where
        there is neither, or where both builds are named.

    Examples
    --------
    >>> header_build(["##contig=<ID=chr1,length=248956422>"])
    'hg38'
    >>> header_build(["##reference=file:///ref/human_g1k_v37.fasta", "##contig=<ID=1>"])
    'hg19'
    """
    told = [line for line in lines if re.match(r"##(?:reference|contig|assembly)\b", line, re.IGNORECASE)]
    lengths = genome_landmarks()["lengths"]
    contigs = [match.groups() for line in told if (match := re.search(r"\bID=(?:chr)?(\w+),.*?\blength=(\d+)", line))]
    builds = {
        build for build, known in lengths.items() for name, length in contigs if known.get(name, 0) == int(length)
    }
    if not builds:
        text = "\n".join(told)
        builds = {build for build, pattern in NAMES.items() if re.search(pattern, text, re.IGNORECASE)}
    return builds.pop() if len(builds) == 1 else None
