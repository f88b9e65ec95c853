"""Splits, metrics, intervals and nested validation."""
