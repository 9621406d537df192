"""NeuroBench's effective operations, under NeuroBench's names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from spear_deploy.data import EncodedSplit
from spear_deploy.network import Model, Simulation, batches, samples_at_once
from spear_deploy.network.linear import Weighted, linear_module, synapse_pattern


@dataclass(frozen=True)
class EffectiveOperations:
    """Operations per sample over all time steps, zero weights and zero inputs not counted.

    A layer whose inputs are all -1, 0 or 1 accumulates (ACs), any other multiplies (MACs). An
    input counts once, whatever its value: behind a pool that sums spikes this is less than
    SynOps. Source: NeuroBench (Yik et al., Nat. Commun. 2025), metric SynapticOperations.
    """

    acs: float
    macs: float


@torch.no_grad()
def effective_operations(model: Model, data: EncodedSplit) -> EffectiveOperations:
    """Effective_ACs and Effective_MACs of a model on encoded samples, some at a time."""
    simulation = Simulation(model.graph).to(data.device)
    patterns = {
        name: linear_module(synapse_pattern(node), name).to(data.device)
        for name, node in model.network.nodes.items()
        if isinstance(node, Weighted)
    }
    reached, binary = dict.fromkeys(patterns, 0.0), dict.fromkeys(patterns, True)
    for part in batches(len(data), samples_at_once(model.network, model.time_steps, data.device)):
        x = data.take(part).inputs
        for name, seen in _inputs_of(simulation, list(patterns), x).items():
            # A static image passes its first weights once for all time steps.
            repeats = x.shape[0] * x.shape[1] / sum(len(each) for each in seen)
            for each in seen:
                binary[name] = binary[name] and bool(((each == 0) | (each.abs() == 1)).all())
                reached[name] += float(patterns[name]((each != 0).to(torch.float32)).sum(dtype=torch.float64)) * repeats
    acs, macs = (sum(reached[name] for name in patterns if binary[name] is kind) for kind in (True, False))
    return EffectiveOperations(acs=acs / len(data), macs=macs / len(data))


def _inputs_of(simulation: Simulation, names: list[str], x: Tensor) -> dict[str, list[Tensor]]:
    """What each weight node receives while the simulation runs."""
    seen: dict[str, list[Tensor]] = {name: [] for name in names}

    def record(name: str) -> Any:
        def hook(module: nn.Module, arguments: tuple[Tensor]) -> None:
            seen[name].append(arguments[0])

        return hook

    handles = [simulation.module(name).register_forward_pre_hook(record(name)) for name in names]
    try:
        simulation(x)
    finally:
        for handle in handles:
            handle.remove()
    return seen
