"""Readers of raw study files."""
