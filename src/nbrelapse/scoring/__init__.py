"""Saved models: the bundle, its loader, scoring a cohort."""
