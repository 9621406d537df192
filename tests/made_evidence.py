"""Evidence that takes no time, under a name that every process of the tests knows."""

import torch


def rooted(setting, of):
    """A figure, and how it was computed."""
    return {"root": float(torch.tensor(of, dtype=torch.float64).sqrt()), "threads": torch.get_num_threads()}
