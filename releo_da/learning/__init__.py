"""Losses and loops that fit a system's parameters."""
