"""Every call to MLflow that records a run."""
