"""Puts a watch on the layers and neurons of a network of snnTorch or SpikingJelly, on a copy of it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count, islice
from typing import Any, TypeGuard

import snntorch
from torch import Tensor, nn

from spear_deploy.errors import ModelError
from spear_deploy.network.faults import first_line
from spear_deploy.network.importing import spikingjelly
from spear_deploy.network.importing.calls import Group, NeuronCalls
from spear_deploy.network.importing.expression import (
    EVERY_STEP,
    INPUT,
    MEMBRANE,
    SPIKES,
    Apply,
    Cat,
    Expression,
    Leaf,
    Many,
    Opaque,
    Zero,
    add,
    at_step,
    leaves,
)
from spear_deploy.network.importing.fitting import fitting
from spear_deploy.network.importing.functions import as_maps_of
from spear_deploy.network.importing.layers import is_identity, is_layer, unsupported
from spear_deploy.network.importing.layout import leading, maps_of_input
from spear_deploy.network.importing.neurons import KINDS, check_neuron, keeps_state, kind_of, ready, runs_as, start
from spear_deploy.network.importing.recorder import Recorder, Step

_RESERVED = ("input", "output")


class Watch:
    """A network in float64 whose known layers report to a recorder what they are called on."""

    def __init__(self, net: nn.Module, steps: int) -> None:
        self.steps = steps
        self.net = _copy_of(net).cpu().double().eval()
        self.names = _node_names(self.net)
        self.recorder = Recorder()
        self.neurons: dict[str, NeuronCalls] = {}
        self.groups: dict[str, Group] = {}
        self.places: dict[str, list[str]] = {}
        """The neuron layers that a module without states of its own stands for."""
        inside: set[nn.Module] = set()
        for path, module in self.net.named_modules():
            if module in inside:
                continue
            name = self.names[path]
            if kind_of(module) is not None:
                check_neuron(module, name)
                ready(module)
                inside |= set(module.modules())
                module.forward = partial(self._neuron, name, module, module.forward)
            elif _folds(module):
                module.forward = partial(self._reshaping, name, module, module.forward)
            elif is_layer(module):
                module.forward = partial(self._layer, name, module, module.forward)
            elif (not list(module.children()) and _is_foreign(module)) or _is_other_neuron(module):
                inside |= set(module.modules())
                module.forward = partial(self._unknown, name, module, module.forward)
        self.restart()

    def restart(self) -> None:
        """Forget what was recorded, and begin with the next call."""
        self.recorder = Recorder(frozenset({*self.names.values(), *_RESERVED}), self.steps)
        self.neurons = {}
        self.groups = {}
        self.places = {}

    @contextmanager
    def alone(self) -> Iterator[None]:
        """While it runs, snnTorch knows no neurons but these.

        `snntorch.utils.reset` walks through all neurons that were ever built: it has to find the
        copies, and leave the user's own as they are.
        """
        before = snntorch.SpikingNeuron.instances
        snntorch.SpikingNeuron.instances = [m for m in self.net.modules() if runs_as(m, KINDS) is not None]
        try:
            yield
        finally:
            snntorch.SpikingNeuron.instances = before

    def reset_states(self) -> None:
        """Set every neuron's hidden state to its start."""
        for module in self.net.modules():
            if kind_of(module) is not None:
                start(module)

    def reset_outside(self) -> None:
        """Reset what its users reset between samples, outside of the network: SpikingJelly's neurons."""
        for module in self.net.modules():
            if spikingjelly.is_neuron(module):
                start(module)

    def _layer(self, name: str, module: nn.Module, run: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        recorder = self.recorder
        with recorder.quiet():
            y = fitting(name, module, run, x)
        expression, axis = recorder.expression(x), recorder.time_axis(x)
        if isinstance(expression, Opaque):
            recorder.mark(y, expression, axis)
        elif spikingjelly.takes_sequences(module) and axis is None:
            recorder.mark(y, Opaque(f"one step in a multi-step module ({name})"))
        elif is_identity(module) or (isinstance(module, nn.Flatten) and y.shape == x.shape):
            recorder.mark(y, expression, axis)
        elif isinstance(expression, Many) and axis is None and not _averages_pass(module, expression):
            reason = (
                f"{name} behind a largest over time, which no neuron holds; return that"
                if expression.largest
                else f"{name} behind a sum over time, in which its bias counts once; take the mean, or call it once a"
                " step"
            )
            recorder.mark(y, Opaque(reason))
        elif axis == 1 and x.shape[1] == 1 < recorder.steps and _is_of_neurons(expression):
            flat = x.detach().flatten(1)
            recorder.mark(flat, expression.items[0])
            recorder.mark(x, as_maps_of(recorder, flat, tuple(x.shape[1:])))
            recorder.mark(y, recorder.on(name, module, recorder.expression(x), tuple(x.shape[1:])))
        elif axis is not None and axis >= 0 and not _takes_time(module, axis):
            reason = "a whole sequence at once; call it once a step"
            if x.shape[axis] == 1 < recorder.steps:
                wanted = tuple(x.shape[1:])
                reason = f"an axis that forward adds to its input; give input_shape={wanted}, and leave unsqueeze out"
            recorder.mark(y, Opaque(f"{name} on {reason}"))
        else:
            recorder.mark(y, recorder.on(name, module, expression, tuple(x.shape[leading(axis) :])), axis)
        return y

    def _reshaping(self, name: str, module: nn.Module, run: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """A module that does what a function of tensors does, such as folding time into the batch."""
        y, recorder = run(x), self.recorder
        lost = isinstance(recorder.expression(y), Opaque) and not isinstance(recorder.expression(x), Opaque)
        if lost and isinstance(module, nn.Unflatten):
            as_maps = maps_of_input(recorder.expression(x), recorder.time_axis(x), tuple(x.shape), tuple(y.shape))
            if as_maps:
                recorder.mark(y, Opaque(f"{name} (Unflatten) on the network's input; {as_maps}, and leave it out"))
        return y

    def _unknown(self, name: str, module: nn.Module, run: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        try:
            with self.recorder.quiet():
                result = run(*args, **kwargs)
        except Exception:  # it may not run in double precision
            raise ModelError(unsupported(module, name)) from None
        if not isinstance(result, tuple):
            return self._opaque(result, module, name)
        return tuple(self._opaque(each, module, name) for each in result)

    def _opaque(self, value: Any, module: nn.Module, name: str) -> Any:
        """What an unknown module gives, in double precision like all around it."""
        if not isinstance(value, Tensor):
            return value
        with self.recorder.quiet():
            wide = value.double() if value.is_floating_point() else value
        self.recorder.mark(wide, Opaque(unsupported(module, name)))
        return wide

    def _neuron(self, name: str, module: Any, run: Callable[..., Any], x: Tensor, *args: Any, **kwargs: Any) -> Any:
        if spikingjelly.takes_sequences(module):
            return self._neuron_over_time(name, module, run, x)
        recorder, kind = self.recorder, kind_of(module)
        assert kind is not None  # only neurons report here
        given = dict(zip(kind.states, args, strict=False)) | kwargs
        name = self._place(name, module, list(given.values()))
        fault = None if recorder.time_axis(x) is None else Opaque("a whole sequence in one call")
        received = fault or recorder.expression(x)
        if kind.recurrent and isinstance(received, Cat):
            received = Opaque("a concatenation of currents; give each branch neurons, and concatenate their spikes")
        group = self._group(name, module, received, tuple(x.shape[1:]))
        step = len(group.calls[0].inputs)
        for state, tensor in given.items():
            received = self._foreign_state(group, state, tensor, step) or received
        if kind.recurrent and not isinstance(received, Opaque):
            own = f"{name}_recurrent"
            recorder.layers[own] = Step(own, module.recurrent, tuple(x.shape[1:]))
            before: Expression = Leaf(name, SPIKES, step - 1) if step else Zero()
            received = add((received, Apply(own, before)))
        with recorder.quiet():
            result = run(x, *args, **kwargs)
        group.receive([received])
        for port, tensor in zip(kind.outputs, result if isinstance(result, tuple) else (result,), strict=False):
            recorder.mark(tensor, group.leaf(port, step))
            group.give(port, [tensor])
        return result

    def _group(self, name: str, module: Any, received: Expression, shape: tuple[int, ...]) -> Group:
        """The layers that a neuron stands for: one for each branch of concatenated currents."""
        sizes = received.sizes if isinstance(received, Cat) else ()
        if name not in self.groups:
            names = list(islice(self._free(name, 1), len(sizes))) or [name]
            self.groups[name] = Group.of(names, module, sizes, shape)
            self.neurons |= dict(zip(names, self.groups[name].calls, strict=True))
        return self.groups[name]

    def _free(self, name: str, first: int) -> Iterator[str]:
        """Names of further layers of a module, numbered."""
        taken = {*self.names.values(), *self.neurons, *self.groups, *_RESERVED}
        return (found for found in map(f"{name}_{{}}".format, count(first)) if found not in taken)

    def _place(self, name: str, module: Any, states: list[Tensor | None]) -> str:
        """The layer that a neuron stands for in this call: if it keeps no state, the one whose state it is handed."""
        if keeps_state(module) or not states or any(state is None for state in states):
            return name
        places = self.places.setdefault(name, [name])
        first = self.recorder.expression(states[0])  # type: ignore[arg-type]
        begun = {place: self.groups[place] for place in places if place in self.groups}
        owners = {leaf.node for leaf in leaves(first)}
        for place, group in begun.items():
            if owners and owners <= set(group.names):
                return place
        if isinstance(first, Zero) and begun and all(len(group.calls[0].inputs) == 1 for group in begun.values()):
            places.append(next(self._free(name, 2)))
            return places[-1]
        return name

    def _neuron_over_time(self, name: str, module: Any, run: Callable[..., Any], x: Tensor) -> Any:
        """A call of a neuron with all time steps, `[T, B, *shape]`."""
        recorder = self.recorder
        received: Expression = recorder.expression(x)
        if recorder.time_axis(x) != 0 and not isinstance(received, Opaque):
            received = Opaque(f"one step in a multi-step module ({name})")
        with recorder.quiet():
            result = spikingjelly.steps_of(module, run, x)
        group = self._group(name, module, received, tuple(x.shape[2:]))
        group.receive([at_step(received, step) for step in range(len(x))])
        port = MEMBRANE if spikingjelly.gives_membranes(module) else SPIKES
        group.give(port, list(result))
        recorder.mark(result, group.leaf(port, EVERY_STEP), 0)
        return spikingjelly.decoded(module, result)

    def _foreign_state(self, group: Group, state: str, tensor: Tensor | None, step: int) -> Opaque | None:
        """Why a state handed to a neuron is not its own of the step before, if so."""
        if tensor is None:
            return None
        expression = self.recorder.expression(tensor)
        if expression == (group.leaf(state, step - 1) if step else Zero()):
            return None
        if step == 0:
            return Opaque(f"an initial {state} that is not zero (state carried over from another sample?)")
        return Opaque(f"a {state} that is not its own of the step before")


def _is_of_neurons(expression: Expression) -> TypeGuard[Many]:
    """Whether it is one value of neurons, to which forward added an axis."""
    own = isinstance(expression, Many) and len(expression.items) == 1
    return own and all(leaf.node != INPUT for leaf in leaves(expression))


def _takes_time(module: nn.Module, axis: int) -> bool:
    """Whether a layer acts on each step of a whole sequence alone."""
    return isinstance(module, nn.Linear) or (axis == 0 and spikingjelly.takes_sequences(module))


def _averages_pass(module: nn.Module, value: Many) -> bool:
    """Whether a layer may act on a mean (or, without bias, on a sum) over time as if on each step."""
    if not isinstance(module, nn.Linear):
        return isinstance(module, nn.Flatten)
    return not value.largest and (value.mean or module.bias is None)


def _is_other_neuron(module: nn.Module) -> bool:
    """Whether a module is a neuron that is not converted."""
    return isinstance(module, snntorch.SpikingNeuron) or spikingjelly.is_other_neuron(module)


def _folds(module: nn.Module) -> bool:
    """Whether a module changes shapes beyond those of a sample: what it does is followed as the function."""
    return isinstance(module, nn.Unflatten) or (isinstance(module, nn.Flatten) and module.start_dim == 0)


def _is_foreign(module: nn.Module) -> bool:
    return type(module).__module__.split(".")[0] in ("torch", "snntorch", "spikingjelly")


def _copy_of(net: nn.Module) -> nn.Module:
    """A deep copy; what training left behind in the states is dropped, torch cannot copy it."""
    memo: dict[int, Any] = {}
    for module in net.modules():
        for value in (*vars(module).values(), *module._buffers.values()):
            if isinstance(value, Tensor) and value.grad_fn is not None:
                memo[id(value)] = value.detach().clone()
    try:
        return copy.deepcopy(net, dict(memo))
    except Exception as error:  # what a module holds may raise anything where it is copied
        at_fault = _uncopied(net, memo) or "the network"
        raise ModelError(
            f"{at_fault} cannot be copied ({first_line(error)}); needed a network that copy.deepcopy takes"
        ) from None


def _uncopied(net: nn.Module, memo: dict[int, Any]) -> str:
    """The innermost module that cannot be copied, with its type."""
    for path, module in reversed(list(net.named_modules())):
        try:
            copy.deepcopy(module, dict(memo))
        except Exception:
            return f"{path}: {type(module).__name__}" if path else ""
    return ""


def _node_names(net: nn.Module) -> dict[str, str]:
    """A node name for every module path: `0_conv2d` for a numbered one, else the path as it is."""
    names: dict[str, str] = {}
    taken = set(_RESERVED)
    for path, module in net.named_modules():
        name = path.replace(".", "_")
        if path.rpartition(".")[2].isdigit():
            name = f"{name}_{type(module).__name__.lower()}"
        while name in taken:
            name += "_layer"
        names[path] = name
        taken.add(name)
    return names
