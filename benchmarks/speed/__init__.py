"""How fast we are, beside others and beside what could not be faster: `python -m benchmarks.speed`."""
