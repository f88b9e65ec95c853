from .checks import DeletionCurve as DeletionCurve, TruthAgreement as TruthAgreement, deletion_curve as deletion_curve, direction_agreement as direction_agreement, grouped_shapley as grouped_shapley, roll_up_difference as roll_up_difference, truth_agreement as truth_agreement
from .explanation import Explanation as Explanation, GroupContributions as GroupContributions, LEAST_PATIENTS as LEAST_PATIENTS, attribution_table as attribution_table, contributions_by_group as contributions_by_group, explain as explain, mechanism_cooccurrence as mechanism_cooccurrence, roll_up as roll_up
from .probability import to_probability as to_probability
from .stability import NOT_ASSAYED as NOT_ASSAYED, Stability as Stability, patient_intervals as patient_intervals, stability as stability
