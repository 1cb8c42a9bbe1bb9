"""Measurements, each printed as a ratio within one run: ``python -m benchmarks.overhead --help``."""
