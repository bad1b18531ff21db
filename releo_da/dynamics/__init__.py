"""Forecasters: each carries an ensemble to a later time."""
