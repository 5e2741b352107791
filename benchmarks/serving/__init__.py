"""Serving speed, ours beside others': `python -m benchmarks.serving`."""
