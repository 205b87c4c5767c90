"""Benchmarks of the service; each starts what it needs."""
