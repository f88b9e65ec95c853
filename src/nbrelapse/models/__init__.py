"""Risk models, one family a module, and the clinical baselines."""
