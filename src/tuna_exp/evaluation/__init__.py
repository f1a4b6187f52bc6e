"""Benchmarks and their scorers."""
