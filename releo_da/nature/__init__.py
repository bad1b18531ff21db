"""Nature runs: what the land and the sky do in a twin experiment, which no filter knows."""
