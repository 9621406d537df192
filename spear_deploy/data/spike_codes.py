"""Values as spikes without chance: when they are large, and where they rise.

The same spikes as snnTorch's `spikegen`, in float32 as it computes them (Eshraghian et al., Proc. IEEE 2023), which
the tests hold them against.
"""

from __future__ import annotations

import torch
from torch import Tensor

from spear_deploy.errors import DataError
from spear_deploy.network.encoding import DeltaSettings, LatencySettings

_EPSILON = 1e-7
"""The logarithm of a value at the threshold is that of one so far above it."""


def latency_spikes(x: Tensor, settings: LatencySettings, time_steps: int, name: str) -> Tensor:
    """One spike for each value of `[N, *shape]` in [0, 1], the larger the earlier: uint8, `[N, T, *shape]`.

    Where steps are stretched by the logarithmic form, the latest spike is that of a value at the threshold, whichever
    values stand beside it: what a sample becomes does not depend on its batch.

    Raises:
        DataError: spikes of the samples called `name` lie behind the last step.

    """
    if settings.first_spike_time >= time_steps:
        raise DataError(
            f"encoding 'latency': the first spike is in step {settings.first_spike_time + 1}, the network runs for"
            f" {time_steps}; give a smaller first_spike_time"
        )
    values = x.to(torch.float32)
    steps = _latencies(values, settings, time_steps).round().long()
    spiking = values >= settings.threshold if settings.clip else torch.ones_like(values, dtype=torch.bool)
    latest = int(steps[spiking].max()) if bool(spiking.any()) else 0
    if latest >= time_steps:
        raise DataError(
            f"encoding 'latency': {name} has spikes in step {latest + 1}, the network runs for {time_steps};"
            " 'latency:normalize' stretches them over all its steps, a smaller tau or more time steps bring them in"
        )
    spikes = torch.zeros((len(x), time_steps, *x.shape[1:]), dtype=torch.uint8)
    return spikes.scatter_(1, steps.clamp(max=time_steps - 1).unsqueeze(1), spiking.to(torch.uint8).unsqueeze(1))


def _latencies(values: Tensor, settings: LatencySettings, time_steps: int) -> Tensor:
    first, threshold = settings.first_spike_time, settings.threshold
    if settings.linear:
        tau = time_steps - 1 - first if settings.normalize else settings.tau
        return torch.clamp_max(-tau * (values - 1), -tau * (threshold - 1)) + first
    times = _logarithmic(values, settings)
    if not settings.normalize:
        return times
    latest = _logarithmic(torch.zeros(1), settings)
    return (times - first) * (time_steps - first - 1) / (latest - first) + first


def _logarithmic(values: Tensor, settings: LatencySettings) -> Tensor:
    above = torch.clamp(values, settings.threshold + _EPSILON)
    times = settings.tau * torch.log(above / (above - settings.threshold))
    return times + settings.first_spike_time if settings.first_spike_time else times


def delta_spikes(x: Tensor, settings: DeltaSettings) -> Tensor:
    """1 where values `[N, T, *shape]` rise by a threshold, -1 where they fall so far if that is wanted: int8, alike."""
    values = x.to(torch.float32)
    start = values[:, :1] if settings.padding else torch.zeros_like(values[:, :1])
    change = values - torch.cat((start, values[:, :-1]), dim=1)
    spikes = (change >= settings.threshold).to(torch.int8)
    return spikes - (change <= -settings.threshold).to(torch.int8) if settings.off_spike else spikes
