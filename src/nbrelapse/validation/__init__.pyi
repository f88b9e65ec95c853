from .cross_validate import CrossValidation as CrossValidation, cross_validate as cross_validate
from .fold_cache import CACHE_FOLDER as CACHE_FOLDER, FoldCache as FoldCache
from .guards import Multiplicity as Multiplicity, corrected_choice as corrected_choice, label_leakage as label_leakage, optimism as optimism, permuted_discrimination as permuted_discrimination
from .leave_one_group_out import GroupValidation as GroupValidation, leave_one_group_out as leave_one_group_out
from .nested import holdout_predictions as holdout_predictions, nested_cross_validation as nested_cross_validation
from .sample_size import LearningCurve as LearningCurve, SampleSize as SampleSize, learning_curve as learning_curve, sample_size as sample_size
from .splits import named_split as named_split, repeated_folds as repeated_folds
from .tuning import tune as tune
