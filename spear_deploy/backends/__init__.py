"""Where spikes come from: torch, a chip's integers, Lava."""
