"""Where spikes come from: torch, a chip's integers, Lava."""

TORCH = "torch"
"""The backend in whose arithmetic networks are trained and searched, and SynOps predicted."""
