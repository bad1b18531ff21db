"""Data assimilation for land-surface monitoring from satellites."""

__version__ = "0.1.0"
