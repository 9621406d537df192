"""The tests, and `python -m tests.fuzz`."""
