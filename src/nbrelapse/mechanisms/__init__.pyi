from .addressing_therapies import AddressingTherapy as AddressingTherapy, addressing_therapies as addressing_therapies
from .build import Builder as Builder, COMBINATION as COMBINATION, build_features as build_features, load_builder as load_builder
from .builder_rules import check_parameters as check_parameters
from .catalogue import Catalogue as Catalogue, FeatureDefinition as FeatureDefinition, Mechanism as Mechanism, PriorKnowledge as PriorKnowledge, load_catalogue as load_catalogue, parse_catalogue as parse_catalogue
from .catalogue_rules import ENDPOINTS as ENDPOINTS
from .feature_table import FeatureTable as FeatureTable, OUTCOME_COLUMNS as OUTCOME_COLUMNS, check_target as check_target, known_at as known_at, read_features as read_features, write_features as write_features
from .gene_sets import assay_coverage as assay_coverage, covers_all as covers_all, genes_found as genes_found, read_gene_sets as read_gene_sets, with_gene_features as with_gene_features
from .therapies import EVIDENCE_LEVELS as EVIDENCE_LEVELS, Therapy as Therapy, load_therapies as load_therapies
