from .assemble import assay_rows as assay_rows, assemble_cohort as assemble_cohort, join_assay_rows as join_assay_rows, normalise_matrix as normalise_matrix, normalise_table as normalise_table, sample_ids_of as sample_ids_of
from .check import CohortReport as CohortReport, check_cohort as check_cohort
from .cohort import ASSAYS as ASSAYS, Cohort as Cohort, Repairs as Repairs, counted as counted
from .columns import encode as encode, is_among as is_among, refuse_rows as refuse_rows, require_columns as require_columns, row_numbers as row_numbers
from .files import check_file_name as check_file_name, write_beside as write_beside
from .genes import canonical_symbols as canonical_symbols
from .genome import genome_landmarks as genome_landmarks, normalise_chromosomes as normalise_chromosomes
from .log2_scale import MIN_LENGTH as MIN_LENGTH, estimate_platform_scales as estimate_platform_scales, sample_centres as sample_centres
from .mutations import CLASSES as CLASSES, class_of_word as class_of_word, rearrangement_class as rearrangement_class
from .schema import ASSAY_OF as ASSAY_OF, MATRICES as MATRICES, MUTATIONS as MUTATIONS, PATIENTS as PATIENTS, REARRANGEMENTS as REARRANGEMENTS, SAMPLES as SAMPLES, SEGMENTS as SEGMENTS, TABLES as TABLES, as_text as as_text, coded_columns as coded_columns, levels as levels, normalise_levels as normalise_levels, normalise_numbers as normalise_numbers
from .segments import CHROMOSOME_NUMBERS as CHROMOSOME_NUMBERS, MergedSegments as MergedSegments, X as X, merge_segments as merge_segments, smooth_segments as smooth_segments, weighted_median_rows as weighted_median_rows
from .storage import SETTINGS as SETTINGS, check_target as check_target, read_cohort as read_cohort, write_cohort as write_cohort
from .text import LFS_MARK as LFS_MARK, TextHeader as TextHeader, decode as decode, open_text as open_text, parse_text_table as parse_text_table, read_bytes as read_bytes, read_header as read_header, read_table as read_table, unpack as unpack
from .validate import validate_cohort as validate_cohort
