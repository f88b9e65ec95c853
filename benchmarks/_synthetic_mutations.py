"""The MAF of the synthetic study: 110 columns as wide as vcf2maf writes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

COLUMNS = (
    "Hugo_Symbol Entrez_Gene_Id Center NCBI_Build Chromosome Start_Position End_Position Strand "
    "Variant_Classification Variant_Type Reference_Allele Tumor_Seq_Allele1 Tumor_Seq_Allele2 dbSNP_RS "
    "dbSNP_Val_Status Tumor_Sample_Barcode Matched_Norm_Sample_Barcode Match_Norm_Seq_Allele1 Match_Norm_Seq_Allele2 "
    "Tumor_Validation_Allele1 Tumor_Validation_Allele2 Match_Norm_Validation_Allele1 Match_Norm_Validation_Allele2 "
    "Verification_Status Validation_Status Mutation_Status Sequencing_Phase Sequence_Source Validation_Method Score "
    "BAM_File Sequencer HGVSc HGVSp HGVSp_Short Transcript_ID RefSeq Protein_position Codons Exon_Number "
    "t_depth t_ref_count t_alt_count n_depth n_ref_count n_alt_count "
    "all_effects Allele Gene Feature Feature_type Consequence cDNA_position CDS_position Amino_acids "
    "Existing_variation ALLELE_NUM DISTANCE STRAND_VEP SYMBOL SYMBOL_SOURCE HGNC_ID BIOTYPE CANONICAL CCDS ENSP "
    "SWISSPROT TREMBL UNIPARC SIFT PolyPhen EXON INTRON DOMAINS AF AFR_AF AMR_AF ASN_AF EAS_AF EUR_AF SAS_AF AA_AF "
    "EA_AF CLIN_SIG SOMATIC PUBMED MOTIF_NAME MOTIF_POS HIGH_INF_POS MOTIF_SCORE_CHANGE IMPACT PICK VARIANT_CLASS TSL "
    "HGVS_OFFSET PHENO MINIMISED GENE_PHENO FILTER flanking_bps vcf_id vcf_qual gnomAD_AF gnomAD_AFR_AF gnomAD_AMR_AF "
    "gnomAD_EAS_AF gnomAD_NFE_AF gnomAD_SAS_AF ExAC_AF vcf_pos"
).split()
BEFORE_POSITION, BEFORE_BARCODE, BEFORE_COUNTS, AFTER_COUNTS = 5, 15, 40, 46
PASSENGER_GENES = 20_000
DRIVER_SHARE = 0.03
DRIVERS = (
    ("ALK", "2", 29443695, "p.F1174L", "Missense_Mutation"),
    ("ALK", "2", 29432664, "p.R1275Q", "Missense_Mutation"),
    ("ALK", "2", 29436860, "p.F1245C", "Missense_Mutation"),
    ("TP53", "17", 7577538, "p.R248Q", "Missense_Mutation"),
    ("TP53", "17", 7578406, "p.R175H", "Missense_Mutation"),
    ("NRAS", "1", 115256529, "p.Q61R", "Missense_Mutation"),
    ("KRAS", "12", 25398284, "p.G12D", "Missense_Mutation"),
    ("BRAF", "7", 140453136, "p.V600E", "Missense_Mutation"),
    ("PTPN11", "12", 112888210, "p.E76K", "Missense_Mutation"),
    ("FGFR1", "8", 38274849, "p.N546K", "Missense_Mutation"),
    ("NF1", "17", 29553478, "p.R681*", "Nonsense_Mutation"),
    ("ATRX", "X", 76938208, "p.R808*", "Nonsense_Mutation"),
    ("TERT", "5", 1295228, "", "5'Flank"),
)
CLASSES = ("Missense_Mutation", "Missense_Mutation", "Missense_Mutation", "Silent", "Nonsense_Mutation", "Intron")
CHROMOSOMES = [*map(str, range(1, 23)), "X"]


def write_mutations(file: Path, rng: np.random.Generator, ids: pa.Array, per_sample: int, chunk: int) -> None:
    """Write a MAF with so many rows a sample on average, sorted by sample; 3 % of the rows are known drivers."""
    heads, alleles, annotations, tails, positions = _variants(rng)
    count = len(ids) * per_sample
    sample = np.sort(rng.integers(len(ids), size=count))
    with file.open("wb") as stream:
        stream.write(("\t".join(COLUMNS) + "\n").encode())
        for first in range(0, count, chunk * per_sample):
            rows = sample[first : first + chunk * per_sample]
            driver = rng.random(len(rows)) < DRIVER_SHARE
            drawn = np.where(driver, rng.integers(len(DRIVERS), size=len(rows)), 0)
            drawn = np.where(driver, drawn, len(DRIVERS) + rng.integers(PASSENGER_GENES, size=len(rows)))
            variant, barcode = pa.array(drawn), ids.take(pa.array(rows))
            place = positions[drawn] + np.where(driver, 0, rng.integers(0, 50_000, len(rows)))
            position = _text(place)
            fields = (position, "\t", position, "\t", alleles.take(variant), "\t", barcode, "\t", annotations.take(variant))
            counts = _read_counts(rng, len(rows))
            lines = pc.binary_join_element_wise(heads.take(variant), *fields, *counts, tails.take(variant), "")
            stream.write(lines.buffers()[2])


def _text(numbers: np.ndarray) -> pa.Array:
    return pc.cast(pa.array(numbers), pa.string())


def _read_counts(rng: np.random.Generator, rows: int) -> list[pa.Array | str]:
    """Columns t_depth to n_alt_count, each followed by a tab."""
    depth, normal = rng.integers(20, 300, (2, rows))
    found = rng.binomial(depth, 0.3)
    columns = (depth, depth - found, found, normal, normal, np.zeros(rows, dtype=np.int64))
    return [part for column in columns for part in (_text(column), "\t")]


def _variants(rng: np.random.Generator) -> tuple[pa.Array, pa.Array, pa.Array, pa.Array, np.ndarray]:
    """Fixed parts of a row by variant, cut where the row's own values go; and the first position."""
    chromosome = rng.integers(len(CHROMOSOMES), size=PASSENGER_GENES)
    start = rng.integers(1_000_000, 45_000_000, PASSENGER_GENES)
    residue, kind = rng.integers(1, 900, PASSENGER_GENES), rng.integers(len(CLASSES), size=PASSENGER_GENES)
    passengers = [
        (f"GENE{gene:05d}", CHROMOSOMES[chromosome[gene]], start[gene], f"p.A{residue[gene]}V", CLASSES[kind[gene]])
        for gene in range(PASSENGER_GENES)
    ]
    variants = [*DRIVERS, *passengers]
    lines = [_columns_of(number, *variant) for number, variant in enumerate(variants)]
    heads = ["\t".join(line[:BEFORE_POSITION]) + "\t" for line in lines]
    alleles = ["\t".join(line[BEFORE_POSITION + 2 : BEFORE_BARCODE]) for line in lines]
    annotations = ["\t".join(line[BEFORE_BARCODE + 1 : BEFORE_COUNTS]) + "\t" for line in lines]
    tails = ["\t".join(line[AFTER_COUNTS:]) + "\n" for line in lines]
    places = np.array([variant[2] for variant in variants])
    return pa.array(heads), pa.array(alleles), pa.array(annotations), pa.array(tails), places


def _columns_of(number: int, gene: str, chromosome: str, position: int, protein: str, kind: str) -> list[str]:
    transcript, residue = f"ENST{number:011d}", protein.strip("p.*ABCDEFGHIJKLMNOPQRSTUVWXYZ") or "1"
    effect = f"{gene},{kind.lower()},{protein},{transcript},NM_{number:06d}.3,c.{residue}C>T,MODERATE,YES,tolerated(0.19)"
    known = {
        "Hugo_Symbol": gene,
        "Entrez_Gene_Id": str(100 + number),
        "Center": "genome.wustl.edu",
        "NCBI_Build": "GRCh37",
        "Chromosome": chromosome,
        "Strand": "+",
        "Variant_Classification": kind,
        "Variant_Type": "SNP",
        "Reference_Allele": "G" if kind == "5'Flank" else "C",
        "Tumor_Seq_Allele1": "C",
        "Tumor_Seq_Allele2": "A" if kind == "5'Flank" else "T",
        "dbSNP_RS": "novel" if number % 3 else f"rs{number * 977}",
        "Matched_Norm_Sample_Barcode": "SYN-30-NORMAL-10A",
        "Match_Norm_Seq_Allele1": "C",
        "Match_Norm_Seq_Allele2": "C",
        "Mutation_Status": "Somatic",
        "Sequence_Source": "WXS",
        "Sequencer": "Illumina HiSeq 2000",
        "HGVSc": f"{transcript}.4:c.{residue}C>T",
        "HGVSp": protein and f"ENSP{number:011d}.2:{protein}",
        "HGVSp_Short": protein,
        "Transcript_ID": transcript,
        "RefSeq": f"NM_{number:06d}.3",
        "Protein_position": f"{residue}/1042",
        "Codons": "gCc/gTc",
        "Exon_Number": "11/24",
        "all_effects": ";".join([effect] * (1 + number % 4)),
        "Allele": "T",
        "Gene": f"ENSG{number:011d}",
        "Feature": transcript,
        "Feature_type": "Transcript",
        "Consequence": "missense_variant",
        "cDNA_position": f"{residue}/4231",
        "CDS_position": f"{residue}/3129",
        "Amino_acids": "A/V",
        "STRAND_VEP": "1",
        "SYMBOL": gene,
        "SYMBOL_SOURCE": "HGNC",
        "HGNC_ID": f"HGNC:{number}",
        "BIOTYPE": "protein_coding",
        "CANONICAL": "YES",
        "CCDS": f"CCDS{number}.1",
        "ENSP": f"ENSP{number:011d}",
        "SWISSPROT": "Q9UM73",
        "UNIPARC": "UPI000013D6E7",
        "SIFT": "tolerated(0.19)",
        "PolyPhen": "possibly_damaging(0.72)",
        "EXON": "11/24",
        "DOMAINS": "Pfam_domain:PF07714;Prints_domain:PR00109;PROSITE_profiles:PS50011;SMART_domains:SM00219",
        "IMPACT": "MODERATE",
        "PICK": "1",
        "VARIANT_CLASS": "SNV",
        "TSL": "1",
        "FILTER": "PASS",
        "flanking_bps": "ACT",
        "gnomAD_AF": "4.061e-06",
        "vcf_pos": str(position),
    }
    return [known.get(name, "") for name in COLUMNS]
