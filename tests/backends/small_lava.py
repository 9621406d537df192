"""A network that Lava runs in seconds, and what it is given."""

import numpy as np
import torch
from random_networks import Builder

LIMIT_S = 60


def small_model(**options):
    chain = Builder(np.random.default_rng(0), (4,)).linear("dense", 6)
    return chain.spiking("lif", **options).model(3)


def inputs(count=5, steps=3):
    return torch.rand((steps, count, 4), dtype=torch.float64, generator=torch.Generator().manual_seed(0))
