"""Scores, baselines, verification, plots and the report."""
