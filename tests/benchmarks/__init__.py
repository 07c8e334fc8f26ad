"""Benchmarks: ratios taken in one run; `make bench` prints the table. No test asserts a time."""
