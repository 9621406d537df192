"""Runs a network on sample input in the way it was written to be run, and records it."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import snntorch
import torch
from torch import Tensor, nn

from spear_deploy.errors import ModelError
from spear_deploy.network.importing.calls import NeuronCalls
from spear_deploy.network.importing.expression import (
    EVERY_STEP,
    INPUT,
    OTHER_LAYOUT,
    Expression,
    Leaf,
    Many,
    opaque_part,
)
from spear_deploy.network.importing.fitting import MisfitError
from spear_deploy.network.importing.functions import BatchIndexed
from spear_deploy.network.importing.recorder import Place, Step
from spear_deploy.network.importing.spikingjelly import takes_sequences
from spear_deploy.network.importing.watch import Watch
from spear_deploy.network.importing.ways_out import failure


@dataclass(frozen=True)
class Recording:
    """What a network did on a sample.

    Attributes:
        neurons: the neuron layers by node name, with input and output of each step.
        layers: the layers without memory by node name.
        outputs: where each value that the network returns comes from.
        returned: those values, as the tensors of each.
        sample: the input that was run, `[T, B, *input_shape]`.
        shapes: of one step of what each layer takes, by the places where it is called.
        decides: whether values that depend on the input decided on the way (`if`, `while`, `assert`).

    """

    neurons: dict[str, NeuronCalls]
    layers: dict[str, Step]
    outputs: list[Expression]
    returned: list[list[Tensor]]
    sample: Tensor
    shapes: dict[Place, tuple[int, ...]]
    decides: bool = False


_NO_NEURON = (
    "no neuron of snnTorch or SpikingJelly is called; put snntorch.Leaky (or another of them) behind the layers, in the"
    " place of equations and functions of your own"
)


_EXPORTERS = frozenset({"norse", "sinabs"})
"""Libraries whose neurons are not watched, and whose exporters' graphs `from_nir` reads."""


class _Unsuited(Exception):  # noqa: N818 - a signal between run modes, never shown
    """The network is not written for this way of running it.

    `final` if no other way can help, `way_only` if another way is all that it asks for.
    """

    def __init__(self, reason: str, *, final: bool = False, way_only: bool = False) -> None:
        super().__init__(reason)
        self.final = final
        self.way_only = way_only


def record(net: nn.Module, sample: Tensor, *, static: bool) -> Recording:
    """Run a network on `[T, B, *input_shape]` (float64), however its forward takes its input.

    Tried in order: one call a time step; one call with a static sample that loops inside (only
    where the sample is static); one call with a sequence, time first or batch first.

    Raises:
        ModelError: no way of running it can be followed; says why.

    """
    try:
        return _record(net, sample, static=static)
    except ModelError as error:
        raise ModelError(f"{error}{_through_nir(net)}") from None


def _through_nir(net: nn.Module) -> str:
    """How a network is read that holds layers of a library which exports NIR itself; empty where it holds none."""
    libraries = {type(module).__module__.partition(".")[0] for module in net.modules()} & _EXPORTERS
    if not libraries:
        return ""
    return (
        f"; layers of {' and '.join(sorted(libraries))} are read through NIR: spear_deploy.network.from_nir takes the"
        " graph that the library exports"
    )


def _record(net: nn.Module, sample: Tensor, *, static: bool) -> Recording:
    sequences = any(map(takes_sequences, net.modules()))
    modes: dict[str, Callable[[Watch, Tensor], list[Any]]] = {} if sequences else {"one step a call": _steps}
    if sequences or not isinstance(net, nn.Sequential):
        if static and bool((sample == sample[0]).all()):
            modes["a static sample"] = _static
        modes |= {"a sequence [T, B, ...]": _time_first, "a sequence [B, T, ...]": _batch_first}
    tried: dict[str, _Unsuited] = {}
    for label, run in modes.items():
        try:
            return _attempt(Watch(net, len(sample)), sample, run)
        except _Unsuited as unsuited:
            if unsuited.final:
                raise ModelError(str(unsuited)) from None
            tried[label] = unsuited
    raise ModelError(f"{type(net).__name__}.forward cannot be followed{_reasons(tried)}")


def _reasons(tried: dict[str, _Unsuited]) -> str:
    """Why no way of running a network suits: each reason once; asking for another way is none."""
    telling = {label: unsuited for label, unsuited in tried.items() if not unsuited.way_only} or tried
    ways: dict[str, str] = {}
    for label, unsuited in telling.items():
        ways.setdefault(str(unsuited), label)
    if len(ways) == 1:
        return f": {next(iter(ways))}"
    return "; " + "; ".join(f"as {label}: {reason}" for reason, label in ways.items())


def _attempt(watch: Watch, sample: Tensor, run: Callable[[Watch, Tensor], list[Any]]) -> Recording:
    watch.reset_states()
    returned = _guarded(watch, sample, run)
    steps = len(sample)
    counts = {name: len(calls.inputs) for name, calls in watch.neurons.items()}
    if not counts:
        opaque = next(filter(None, map(opaque_part, _expressions(watch, returned))), None)
        raise _Unsuited(_NO_NEURON if opaque is None else opaque.reason, final=opaque is not None)
    wrong = {name: count for name, count in counts.items() if count != steps}
    restarted = next((name for name, places in watch.places.items() if len(places) == steps > 1), None)
    if restarted is not None and all(counts[watch.groups[place].names[0]] == 1 for place in watch.places[restarted]):
        raise _Unsuited(
            f"{restarted} starts from a state of zero in every time step; keep what it returns for the next step",
            final=True,
        )
    if wrong and set(counts.values()) != {1}:
        name, count = max(wrong.items(), key=lambda item: item[1])
        raise _Unsuited(
            f"{name} is called {count} times in {steps} time steps; give time_steps={count} where forward loops so"
            " often, and a copy for each place to a neuron that keeps its state and stands in several",
            final=all(number % steps == 0 for number in counts.values()),
        )
    if wrong:
        raise _Unsuited(f"{next(iter(wrong))} is called once in {steps} time steps")
    for name, calls in watch.neurons.items():
        for expression in calls.inputs:
            opaque = opaque_part(expression)
            if opaque is not None:
                raise _Unsuited(f"{name} receives {opaque.reason}", final=not opaque.reason.startswith(OTHER_LAYOUT))
    outputs, values = _expressions(watch, returned), [list(_tensors(value)) for value in returned]
    recorder = watch.recorder
    recording = Recording(
        dict(watch.neurons), dict(recorder.layers), outputs, values, sample, dict(recorder.shapes), recorder.decides
    )
    if run is not _steps:
        _check_fresh(watch, sample, run, recording)
    return recording


def _guarded(watch: Watch, sample: Tensor, run: Callable[[Watch, Tensor], list[Any]]) -> list[Any]:
    try:
        with torch.no_grad(), watch.alone(), watch.recorder, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the network is the user's, and has run before
            return run(watch, sample)
    except BatchIndexed:
        raise _Unsuited("it indexes its input over time", way_only=True) from None
    except MisfitError as misfit:
        raise _Unsuited(str(misfit)) from None
    except _Unsuited:
        raise
    except ModelError:
        raise
    except Exception as error:  # the user's own code may raise anything
        raise _Unsuited(f"it {failure(error)}") from None


def _check_fresh(watch: Watch, sample: Tensor, run: Callable[[Watch, Tensor], list[Any]], first: Recording) -> None:
    """A second run on the same sample has to do the same, or state went from sample to sample."""
    watch.restart()
    watch.reset_outside()
    _guarded(watch, sample, run)
    for name, calls in first.neurons.items():
        again = watch.neurons[name].outputs
        for port, tensors in calls.outputs.items():
            same = partial(np.array_equal, equal_nan=True)  # no number in both runs has another cause, told elsewhere
            if len(again[port]) != len(tensors) or not all(map(same, tensors, again[port])):
                raise _Unsuited(
                    f"{name}: state is carried over from one sample to the next; reset it where forward begins"
                    f" (init_leaky() and its like, or {_resetting(watch.net, calls.module)})",
                    final=True,
                )


def _resetting(net: nn.Module, neuron: nn.Module) -> str:
    """The call that resets a neuron: snnTorch's looks for kinds of neurons among the module's own children alone."""
    if not isinstance(neuron, snntorch.SpikingNeuron):
        return "functional.reset_net(self)"
    path = next(path for path, module in net.named_modules() if module is neuron)
    owner = path.rpartition(".")[0]
    if not owner:
        return "snntorch.utils.reset(self)"
    return f"snntorch.utils.reset(self.{owner}), which looks no level deeper"


def _steps(watch: Watch, sample: Tensor) -> list[Any]:
    fed = _fed_back(watch.net)
    states: tuple[Any, ...] = ()
    returned = []
    for t, x in enumerate(sample):
        x = x.clone()
        watch.recorder.mark(x, Leaf(INPUT, "", t))
        result = watch.net(x, *states)
        if fed and isinstance(result, tuple):
            states = _states_of(result, fed)
        returned.append(result)
        if t == 0 and any(len(calls.inputs) > 1 for calls in watch.neurons.values()):
            raise _Unsuited("one call runs a neuron several times", way_only=True)
    return [list(position) for position in zip(*map(_as_tuple, returned), strict=True)]


def _static(watch: Watch, sample: Tensor) -> list[Any]:
    x = sample[0].clone()
    watch.recorder.mark(x, Leaf(INPUT, "", None))
    return list(_as_tuple(watch.net(x)))


def _time_first(watch: Watch, sample: Tensor) -> list[Any]:
    x = sample.clone()
    watch.recorder.mark(x, Leaf(INPUT, "", EVERY_STEP), 0)
    return list(_as_tuple(watch.net(x)))


def _batch_first(watch: Watch, sample: Tensor) -> list[Any]:
    x = sample.transpose(0, 1).contiguous()
    watch.recorder.mark(x, Leaf(INPUT, "", EVERY_STEP), 1)
    return list(_as_tuple(watch.net(x)))


def _fed_back(net: nn.Module) -> int:
    """How many states forward takes after its input: parameters that default to None."""
    parameters = list(inspect.signature(net.forward).parameters.values())[1:]
    named = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    needed = [p.name for p in named if p.default is p.empty]
    if needed:
        raise _Unsuited(
            f"forward needs {', '.join(needed)} beside its input; give them a default"
            " (None for a state, which then starts at zero)",
            final=True,
        )
    return sum(p.default is None for p in named)


def _states_of(result: tuple[Any, ...], count: int) -> tuple[Any, ...]:
    if len(result) == count + 1:
        return result[1:]
    raise _Unsuited(f"it takes {count} states and returns {len(result) - 1}")


def _as_tuple(result: Any) -> tuple[Any, ...]:
    return result if isinstance(result, tuple) else (result,)


def _expressions(watch: Watch, returned: Any) -> list[Expression]:
    """Where each returned value comes from; a list of tensors is one value over time."""
    return [Many(tuple(watch.recorder.expression(tensor) for tensor in _tensors(value))) for value in returned]


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)
