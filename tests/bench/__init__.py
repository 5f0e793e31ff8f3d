"""Measurements: each `bench_*.py` runs as `make bench-<name>` and prints a table of targets and what was measured."""
