from .files import TRUTH_FILE as TRUTH_FILE
from .files import read_truth as read_truth
from .files import simulate_cohort as simulate_cohort
from .files import write_raw_files as write_raw_files
