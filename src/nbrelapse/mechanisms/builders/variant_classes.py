"""What the variant classes of a MAF say of the protein."""

from __future__ import annotations

TRUNCATING = ("Nonsense_Mutation", "Frame_Shift_Del", "Frame_Shift_Ins", "Splice_Site")
PROTEIN_ALTERING = (
    *TRUNCATING,
    "Missense_Mutation",
    "In_Frame_Del",
    "In_Frame_Ins",
    "Nonstop_Mutation",
    "Stop_Codon_Del",
    "Stop_Codon_Ins",
    "Translation_Start_Site",
    "Start_Codon_SNP",
    "Start_Codon_Del",
    "Start_Codon_Ins",
)
CLASSES = {"protein_altering": PROTEIN_ALTERING, "truncating": TRUNCATING}
"""Classes that a rule can ask for: those of https://docs.gdc.cancer.gov/Data/File_Formats/MAF_Format/, and the start
and stop codons of https://gatk.broadinstitute.org/hc/en-us/articles/360035531732."""

OUTSIDE_PROMOTER = (
    *PROTEIN_ALTERING,
    "Silent",
    "Splice_Region",
    "Intron",
    "RNA",
    "lincRNA",
    "IGR",
    "3'UTR",
    "5'UTR",
    "De_novo_Start_InFrame",
    "De_novo_Start_OutOfFrame",
    "3'Flank",
    "Fusion",
)
"""Classes of variants that lie in no promoter; ``Fusion`` is a rearrangement that older studies list here."""
KNOWN = (*OUTSIDE_PROMOTER, "5'Flank")
"""Classes that say what becomes of the protein; ``Splice_Region`` lies outside the two bases of the splice site. Any
other class, as ``Targeted_Region`` or none, says nothing."""
