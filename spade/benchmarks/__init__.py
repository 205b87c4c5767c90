"""Benchmarks of the model itself, each a command of `spade bench`."""
