"""Folds batch normalisation in eval mode into the weights beside it.

    y = (x - mean) / sqrt(var + eps) * weight + bias = scale * x + shift

Into a layer before it, W' = scale W and b' = scale b + shift, by output channel (of a flat layer that becomes maps,
by map). Into layers after it, W' = W scale and b' = b + sum(W shift), by input channel: exact only without padding,
which would be shifted too. Unpadded average pools, and max pools where all scales are positive, may
lie between it and the layer before it: they give the same before and after it. So may factors f, where the layer
takes in shift / f.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn

from spear_deploy.errors import ModelError
from spear_deploy.network.importing.expression import Apply, Expression, Sum, add
from spear_deploy.network.importing.layers import AVERAGE_POOLS, MAX_POOLS, WEIGHTED, is_norm
from spear_deploy.network.importing.recorder import Step
from spear_deploy.network.linear import Scale


def fold(
    inputs: dict[str, Expression], layers: dict[str, Step]
) -> tuple[dict[str, Expression], dict[str, Step], list[str]]:
    """Fold every batch normalisation of a network.

    Args:
        inputs: what leads into each neuron layer, relative to its step.
        layers: the layers that those name.

    Returns:
        Both without normalisations, and the names of those that were folded.

    Raises:
        ModelError: a normalisation with no layer beside it that can take it in exactly.

    """
    layers = dict(layers)
    applied = sorted({part for root in inputs.values() for part in _applied(root)}, key=repr)
    folded = []
    for norm in [part for part in applied if is_norm(layers[part.op].module)]:
        scale, shift = _affine_of(layers[norm.op].module, norm.op)
        before = _weights_before(norm, layers, inputs, scale)
        if before is not None:
            for place, (name, factor) in enumerate(before):
                _into_before(layers, name, scale, shift / factor if place == 0 else torch.zeros_like(shift))
        else:
            _into_after(layers, norm, inputs, scale, shift)
        folded.append(norm.op)
    gone = frozenset(folded)
    return {name: _without(root, gone) for name, root in inputs.items()}, layers, folded


def _affine_of(norm: Any, name: str) -> tuple[Tensor, Tensor]:
    if norm.running_mean is None:
        raise ModelError(f"{name}: BatchNorm without running statistics depends on the batch; train it with them")
    scale = torch.rsqrt(norm.running_var.double() + norm.eps)
    if norm.weight is not None:
        scale = scale * norm.weight.detach().double()
    shift = -norm.running_mean.double() * scale
    if norm.bias is not None:
        shift = shift + norm.bias.detach().double()
    if not bool(torch.isfinite(torch.stack([scale, shift])).all()):
        raise ModelError(f"{name}: weights and running statistics of a BatchNorm must be finite")
    return scale, shift


def _weights_before(
    norm: Apply, layers: dict[str, Step], inputs: dict[str, Expression], scale: Tensor
) -> list[tuple[str, Tensor]] | None:
    """The layers before a normalisation whose sum can take it in, each with the factor of its channels in that sum.

    They may lie behind pools that do not mind the order.
    """

    def behind_factors(part: Expression) -> tuple[Expression, Tensor]:
        found = torch.ones_like(scale)
        while isinstance(part, Apply) and _users(part, inputs) == 1:
            factor = _factor(layers[part.op].module, len(scale))
            if factor is None:
                break
            part, found = part.of, found * factor
        return part, found

    part, factor = behind_factors(norm.of)
    while isinstance(part, Apply) and not isinstance(module := layers[part.op].module, WEIGHTED):
        if _users(part, inputs) > 1 or not _minds_no_order(module, scale):
            return None
        part, further = behind_factors(part.of)
        factor = factor * further
    terms = [behind_factors(term) for term in _terms(part)]
    found = [(term.op, factor * own) for term, own in terms if _takes_alone(term, layers, inputs)]
    return found if len(found) == len(terms) else None


def _minds_no_order(module: Any, scale: Tensor) -> bool:
    """Whether a pool gives the same before and after a normalisation."""
    if isinstance(module, AVERAGE_POOLS):
        return not any(_padding(module)) and getattr(module, "divisor_override", None) is None
    return isinstance(module, nn.Unflatten) or (isinstance(module, MAX_POOLS) and bool((scale >= 0).all()))


def _factor(module: nn.Module, channels: int) -> Tensor | None:
    """What a layer multiplies each channel by; None where it does anything else."""
    if not isinstance(module, Scale):
        return None
    values = module.scale.detach().double().reshape(channels, -1)
    each = values[:, 0]
    return each if bool(each.all()) and torch.equal(values, each[:, None].expand_as(values)) else None


def _takes_alone(part: Expression, layers: dict[str, Step], inputs: dict[str, Expression]) -> TypeGuard[Apply]:
    """Whether it is what a layer with weights gives to nobody else."""
    return isinstance(part, Apply) and isinstance(layers[part.op].module, WEIGHTED) and _users(part, inputs) == 1


def _into_before(layers: dict[str, Step], name: str, scale: Tensor, shift: Tensor) -> None:
    module = layers[name].module
    weight, bias = _weights(module)
    scale, shift = (
        each.repeat_interleave(len(weight) // len(scale)) for each in (scale, shift)
    )  # maps of a flat layer
    _set(layers, name, weight * scale.reshape(-1, *(1,) * (weight.dim() - 1)), bias * scale + shift)


def _into_after(
    layers: dict[str, Step], norm: Apply, inputs: dict[str, Expression], scale: Tensor, shift: Tensor
) -> None:
    users = {part for root in inputs.values() for part in _applied(root) if part.of == norm}
    exact = bool(users) and len(users) == _users(norm, inputs)
    for user in users:
        module = layers[user.op].module
        exact = exact and isinstance(module, WEIGHTED) and not any(_padding(module))
    if not exact:
        raise ModelError(
            f"{norm.op}: BatchNorm is folded only into a Linear or convolution directly before it (pools and a factor"
            " for each channel may lie between), or unpadded ones directly after it; move it next to one"
        )
    for user in users:
        weight, bias = _weights(layers[user.op].module)
        groups = getattr(layers[user.op].module, "groups", 1)

        # Each output channel sees the input channels of its own group.
        def seen(value: Tensor, weight: Tensor = weight, groups: int = groups) -> Tensor:
            by_group = value.reshape(groups, -1).repeat_interleave(len(weight) // groups, dim=0)
            return by_group.reshape(*by_group.shape, *(1,) * (weight.dim() - 2))

        _set(layers, user.op, weight * seen(scale), bias + (weight * seen(shift)).flatten(1).sum(1))


def _padding(module: Any) -> tuple[int, ...]:
    padding = getattr(module, "padding", (0,))
    if isinstance(padding, str):
        return (0,) if padding == "valid" else (1,)
    return tuple(padding) if isinstance(padding, tuple) else (padding,)


def _weights(module: Any) -> tuple[Tensor, Tensor]:
    weight = module.weight.detach().double()
    bias = torch.zeros(len(weight), dtype=torch.float64) if module.bias is None else module.bias.detach().double()
    return weight, bias


def _set(layers: dict[str, Step], name: str, weight: Tensor, bias: Tensor) -> None:
    module = copy.copy(layers[name].module)
    module._parameters = {"weight": nn.Parameter(weight), "bias": nn.Parameter(bias)}
    layers[name] = replace(layers[name], module=module)


def _applied(expression: Expression) -> set[Apply]:
    match expression:
        case Apply(_, of):
            return {expression, *_applied(of)}
        case Sum(terms):
            return {part for term in terms for part in _applied(term)}
    return set()


def _users(part: Expression, inputs: dict[str, Expression]) -> int:
    """How many different layers, sums and neurons take a value."""
    layers = {other for root in inputs.values() for other in _applied(root) if part in _terms(other.of)}
    return len(layers) + sum(part in _terms(root) for root in inputs.values())


def _terms(expression: Expression) -> tuple[Expression, ...]:
    return expression.terms if isinstance(expression, Sum) else (expression,)


def _without(expression: Expression, gone: frozenset[str]) -> Expression:
    match expression:
        case Apply(op, of):
            inner = _without(of, gone)
            return inner if op in gone else Apply(op, inner)
        case Sum(terms):
            return add(tuple(_without(term, gone) for term in terms))
    return expression
