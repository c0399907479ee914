"""Benchmarks: ratios against peers on this machine. ``python -m tests.bench`` lists and runs them."""
