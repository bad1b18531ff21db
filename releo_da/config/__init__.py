"""Configuration: YAML to functions; the one place that chooses implementations by name."""
