"""Neurons that hear themselves through one matrix: all steps in one function, with its own way back through time.

Step by step autograd notes some thirty operations a step. Here a step is the neurons' equation in place and one product
each way, and the gradient of the matrix is one product over all steps at the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import nir
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from spear_deploy.network.device import in_autocast
from spear_deploy.network.graph import Network
from spear_deploy.network.neuron_layer import NeuronLayer, run_back_over_time, run_over_time
from spear_deploy.network.surrogate import Surrogate


@dataclass(frozen=True)
class Echo:
    """What a layer hears of its own spikes of the step before: `weight` `[N, N]`, `bias` `[N]` or none."""

    weight: Tensor
    bias: Tensor | None
    room: Tensor

    @classmethod
    def of(cls, weight: Tensor, bias: Tensor | None, like: Tensor) -> Echo:
        """With room for one step, `[B, N]`."""
        return cls(weight, bias, torch.empty_like(like))

    def heard(self, given: Tensor, sent: Tensor | None) -> Tensor:
        """The current of a step: what is `given` from elsewhere, and what the step before `sent` (none: silence)."""
        before = torch.zeros_like(self.room) if sent is None else sent
        if self.bias is None:
            product = torch.mm(before, self.weight.t(), out=self.room)
        else:
            product = torch.addmm(self.bias, before, self.weight.t(), out=self.room)
        return product.add_(given)

    def blamed(self, gradient: Tensor, later: Tensor | None) -> Tensor:
        """The gradient of a step's spikes, with what they did to the next step's current."""
        return gradient if later is None else torch.addmm(gradient, later, self.weight, out=self.room)


def echoing(network: Network, stage: list[str]) -> tuple[str, str] | None:
    """The layer and the matrix of a loop that is one layer of neurons and one matrix, heard by it alone, else None.

    Sums of more than two terms would fall in another order where the matrix is not the last of them.
    """
    matrices = [name for name in stage if isinstance(network.nodes[name], nir.Affine | nir.Linear)]
    layers = [name for name in stage if name in network.neurons]
    if len(stage) != 2 or len(matrices) != 1 or len(layers) != 1:
        return None
    layer, matrix = layers[0], matrices[0]
    into = network.sources(layer)
    alone = network.sources(matrix) == [layer] and list(network.edges.successors(matrix)) == [layer]
    late = (layer, matrix) in network.feedback
    in_order = len(into) == 2 or (len(into) > 2 and into[-1] == matrix)
    flat = len(network.shapes[layer]) == 1 and layer not in into
    return (layer, matrix) if alone and late and in_order and flat else None


def run_echoing(layer: nn.Module, matrix: nn.Module, currents: Tensor) -> Tensor | None:
    """What a layer sends, `[T, B, N]`, that hears `currents` of the same shape and itself, a step late.

    None where constants of the layer are trained, or where somebody looks at the single steps of the matrix.
    """
    if not isinstance(layer, NeuronLayer) or not isinstance(matrix, nn.Linear):
        return None
    watched = matrix._forward_hooks or matrix._forward_pre_hooks
    fixed = isinstance(layer.spike, Surrogate) and not layer.trainable
    if watched or not fixed or in_autocast(currents.device):
        return None
    sent: Tensor = _Echoing.apply(currents, matrix.weight, matrix.bias, layer)  # type: ignore[no-untyped-call]
    return sent


class _Echoing(torch.autograd.Function):
    """Forward keeps the membranes above the threshold and the outputs."""

    @staticmethod
    def forward(ctx: Any, currents: Tensor, weight: Tensor, bias: Tensor | None, layer: NeuronLayer) -> Tensor:
        outputs = torch.empty(currents.shape, dtype=currents.dtype, device=currents.device)
        needed = layer.threshold is not None and any(ctx.needs_input_grad)
        above = torch.empty_like(outputs) if needed else None
        run_over_time(layer, currents, outputs, above, Echo.of(weight, bias, outputs[0]))
        ctx.layer = layer
        ctx.save_for_backward(above, outputs, weight)
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor | None, Tensor | None, None]:
        above, outputs, weight = ctx.saved_tensors
        found = torch.empty(gradient.shape, dtype=gradient.dtype, device=gradient.device)
        run_back_over_time(ctx.layer, gradient, found, above, Echo.of(weight, None, found[0]))
        of_weight = of_bias = None
        if ctx.needs_input_grad[1]:
            of_weight = found[1:].flatten(0, 1).t() @ outputs[:-1].flatten(0, 1)
        if ctx.needs_input_grad[2]:
            of_bias = found.sum((0, 1))
        return found, of_weight, of_bias, None
