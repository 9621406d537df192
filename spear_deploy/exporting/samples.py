"""Inputs to prove an export on, where no data set is at hand."""

from __future__ import annotations

import torch
from torch import Tensor

from spear_deploy.errors import ExportError
from spear_deploy.network import Encoding, Model

STRENGTHS = (0.1, 0.3, 0.6, 0.9)
"""One sample each: firing rates of spikes, or a third of the largest value (1 at most)."""

MOST_SAMPLES = 32
MOST_OUTPUTS = 250_000
"""Outputs of all neurons in all steps and samples that an export is compared in: Lava hands over 40,000 a second."""

FALLING = 0.5
"""Of changes that have a sign, the share that falls."""

_SEED = 20


def sample_inputs(model: Model) -> Tensor:
    """Samples of several strengths, `[T, 4, *input_shape]` in float64, always the same.

    Values for a model that takes them (in single precision, as data are), counts of 0 and 3 for one
    that takes counts, -1 and 1 for one that takes changes of both signs, else spikes.
    """
    generator = torch.Generator().manual_seed(_SEED)
    shape = model.network.input_shape
    strength = torch.tensor(STRENGTHS, dtype=torch.float64).reshape(-1, *(1,) * len(shape))
    if model.encoding.static:
        values = (torch.rand((len(STRENGTHS), *shape), generator=generator) * 3 * strength).clamp(max=1)
        return values.float().double().expand(model.time_steps, *values.shape)
    chance = torch.rand((model.time_steps, len(STRENGTHS), *shape), generator=generator)
    if model.encoding == Encoding.SEQUENCE:
        return (chance * 3 * strength).clamp(max=1).float().double()
    events = (chance < strength).double()
    if model.encoding == Encoding.COUNTS:
        return events * 3
    if model.encoding.analog:  # rises and falls
        return events * (1 - 2 * (torch.rand(events.shape, generator=generator) < FALLING).double())
    return events


def samples_to_prove(model: Model) -> int:
    """How many samples an export is proven on: many for small networks, one for the largest."""
    neurons = sum(neuron.beta.size for neuron in model.network.neurons.values())
    return int(min(MOST_SAMPLES, max(1, MOST_OUTPUTS // (neurons * model.time_steps))))


def static_sample(inputs: Tensor) -> Tensor:
    """The one image of a static input `[T, B, *shape]`, `[B, *shape]`.

    Raises:
        ExportError: the input changes over time.

    """
    if bool((inputs != inputs[:1]).any()):
        raise ExportError(
            "the network is encoded directly, so its file takes one sample for all time steps, and these inputs change"
            " over time; give the model the encoding 'spikes'"
        )
    return inputs[0]
