from .files import TRUTH_FILE as TRUTH_FILE, read_truth as read_truth, simulate_cohort as simulate_cohort, write_raw_files as write_raw_files
