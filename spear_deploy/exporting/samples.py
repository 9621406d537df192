"""Inputs to prove an export on, where no data set is at hand."""

from __future__ import annotations

import torch
from torch import Tensor

from spear_deploy.network import Encoding, Model

STRENGTHS = (0.1, 0.3, 0.6, 0.9)
"""One sample each: firing rates of spikes, or a third of the largest value (1 at most)."""

_SEED = 20


def sample_inputs(model: Model) -> Tensor:
    """Samples of several strengths, `[T, 4, *input_shape]` in float64, always the same.

    Static values for a directly encoded model (in single precision, as data are), else spikes.
    """
    generator = torch.Generator().manual_seed(_SEED)
    shape = model.network.input_shape
    strength = torch.tensor(STRENGTHS, dtype=torch.float64).reshape(-1, *(1,) * len(shape))
    if model.encoding is Encoding.DIRECT:
        values = (torch.rand((len(STRENGTHS), *shape), generator=generator) * 3 * strength).clamp(max=1)
        return values.float().double().expand(model.time_steps, *values.shape)
    chance = torch.rand((model.time_steps, len(STRENGTHS), *shape), generator=generator)
    return (chance < strength).double()
