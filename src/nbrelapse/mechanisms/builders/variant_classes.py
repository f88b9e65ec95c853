"""What the variant classes of a MAF say of the protein."""

from __future__ import annotations

TRUNCATING = ("Nonsense_Mutation", "Frame_Shift_Del", "Frame_Shift_Ins", "Splice_Site")
PROTEIN_ALTERING = (
    *TRUNCATING,
    "Missense_Mutation",
    "In_Frame_Del",
    "In_Frame_Ins",
    "Nonstop_Mutation",
    "Translation_Start_Site",
)
CLASSES = {"protein_altering": PROTEIN_ALTERING, "truncating": TRUNCATING}
"""Classes that a rule can ask for, https://docs.gdc.cancer.gov/Data/File_Formats/MAF_Format/."""

OTHER = (
    "Silent",
    "Splice_Region",
    "Intron",
    "RNA",
    "IGR",
    "3'UTR",
    "5'UTR",
    "3'Flank",
    "5'Flank",
)
"""Classes that leave the protein as it is; ``Splice_Region`` is outside the two bases of the splice site."""

KNOWN = (*PROTEIN_ALTERING, *OTHER)
"""Any other class, as ``Targeted_Region`` or none, says nothing of the protein."""
