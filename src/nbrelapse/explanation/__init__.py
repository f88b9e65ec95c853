"""SHAP attributions, rolled up to mechanisms."""
