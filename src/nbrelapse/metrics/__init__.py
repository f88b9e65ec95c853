"""Metrics of predictions: functions of outcome, prediction and patient weights."""
