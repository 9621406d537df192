"""The text of the stand-alone script: what a Lava user would write by hand for this network.

Names come from files of others: they enter the text only as `repr` or as checked identifiers.
"""

from __future__ import annotations

import ast
import builtins
import itertools
import keyword
import re
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from spear_deploy.backends.fixed_point.quantized import InputLevels
from spear_deploy.backends.lava.job import LavaJob, LavaLayer, LavaSynapses
from spear_deploy.exporters.lava.text import CONNECT, FIXED_IMPORTS, HEAD, OWN_IMPORTS, OWN_NEURONS, RUN
from spear_deploy.network import Model


def program(model: Model, job: LavaJob, file: str, version: str, levels: InputLevels | None) -> str:
    """The script of a network.

    Args:
        model: the network.
        job: the network in Lava's terms.
        file: how the script is called.
        version: of spear-deploy.
        levels: how values of the input are sent; None for spikes, or in floating point.

    """
    depth = max(layer.depth for layer in job.layers)
    own = any(needs_own_process(layer) for layer in job.layers) or remembers(job)
    head = HEAD.format(
        version=version,
        file=re.sub(r"[^\w.-]", "_", file),
        inputs=_input_words(model),
        arithmetic="Fixed point, bit-accurate to Loihi." if job.fixed else "Floating point.",
        imports=(OWN_IMPORTS if own else "") + (FIXED_IMPORTS if job.fixed else ""),
        steps=model.time_steps,
        depth=depth,
    )
    kind = 'DTYPE, TAG = int, "fixed_pt"\n' if job.fixed else 'DTYPE, TAG = float, "floating_pt"\n'
    parts = [
        head.rstrip(),
        "\n",
        kind,
        "\n",
        OWN_NEURONS if own else "",
        CONNECT,
        _build(job, own_only=remembers(job)),
        RUN,
    ]
    return "".join(parts) + _ending(model, job, levels)


def needs_own_process(layer: LavaLayer) -> bool:
    """Whether Lava's LIFReset cannot be the layer: it has one constant for all, and resets to zero."""
    constants = (layer.constants[key] for key in ("du", "dv", "vth"))
    return layer.kind != "lif" or any((values != values.flat[0]).any() for values in constants)


def remembers(job: LavaJob) -> bool:
    """Whether synapses hold spikes back, which would reach into the next sample."""
    return any(synapses.late for layer in job.layers for synapses in layer.synapses)


def variables(names: Iterable[str]) -> dict[str, str]:
    """A Python variable for each name: the name itself where it is one that nothing else has."""
    found: dict[str, str] = {}
    taken = set(_TAKEN)
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9_]", "_", name)
        proposed = plain if plain[:1].isalpha() else f"layer{plain if plain.startswith('_') else '_' + plain}"
        found[name] = unique(proposed, taken)
        taken.add(found[name])
    return found


def unique(proposed: str, taken: Container[str]) -> str:
    """The name proposed, or where it is taken the first of it_2, it_3, ... that is not."""
    numbered = (f"{proposed}_{number}" for number in itertools.count(2))
    return next(name for name in itertools.chain([proposed], numbered) if name not in taken)


def _own_names() -> Iterator[str]:
    """What the parts that are the same for every network call something."""
    given = {"version": "", "file": "", "inputs": "", "arithmetic": "", "steps": 1, "depth": 1}
    for text in (HEAD.format(**given, imports=OWN_IMPORTS + FIXED_IMPORTS), OWN_NEURONS, CONNECT, RUN):
        for node in ast.walk(ast.parse(text)):
            yield from (value for value in vars(node).values() if isinstance(value, str))


_TAKEN = frozenset(dir(builtins)) | frozenset(keyword.kwlist) | frozenset(_own_names()) | {"DTYPE", "TAG", "build"}


def _input_words(model: Model) -> str:
    shape = ", ".join(map(str, model.network.input_shape))
    if model.encoding.static:
        return f"static samples [samples, {shape}]"
    return f"{'values' if model.encoding.analog else 'spikes'} [{model.time_steps}, samples, {shape}]"


def _build(job: LavaJob, *, own_only: bool) -> str:
    names, matrices = variables(layer.name for layer in job.layers), matrix_names(job)
    ports = {job.network.input: "inputs"} | {name: f"{variable}.s_out" for name, variable in names.items()}
    lines = ['\ndef build(inputs):\n    """The layers by name, each with the steps that it is behind the input."""\n']
    for layer in job.layers:
        own = own_only or needs_own_process(layer)
        lines += _layer(layer, names[layer.name], ports, matrices[layer.name], own=own, fixed=job.fixed)
    rows = "".join(
        f"        {name!r}: ({names[name]}, {layer.depth}),\n" for layer in job.layers for name in [layer.name]
    )
    return "".join(lines) + f"    return {{\n{rows}    }}\n\n"


def _layer(
    layer: LavaLayer, variable: str, ports: dict[str, str], matrices: MatrixNames, *, own: bool, fixed: bool
) -> list[str]:
    shape = " x ".join(map(str, layer.shape))
    size = int(np.prod(layer.shape))
    lines = [f"    # {layer.name!r}: {shape} neurons\n"]
    arguments = [f"shape=({size},)"]
    for key in ("du", "dv", "vth"):
        values = layer.constants[key]
        one = (values == values.flat[0]).all()
        if own:
            arguments.append(
                f"{key}=np.full({size}, {values.flat[0].item()!r})" if one else f"{key}=ARRAYS[{_key(layer, key)}]"
            )
        else:
            arguments.append(f"{key}={values.flat[0].item()!r}")
    if layer.constants["bias"].any():
        arguments.append(f"bias_mant=ARRAYS[{_key(layer, 'bias')}]")
        if fixed:
            arguments.append(f"bias_exp=ARRAYS[{_key(layer, 'bias_exponent')}]")
    if own:
        arguments += [f"kind={kind(layer)!r}", f"depth={layer.depth}"]
    arguments += ["reset_interval=STEPS", f"reset_offset={1 + layer.depth} % STEPS"]
    lines.append(f"    {variable} = {'Neurons' if own else 'LIFReset'}(\n")
    lines += [f"        {argument},\n" for argument in arguments] + ["    )\n"]
    for synapses, matrix in zip(layer.synapses, matrices.synapses, strict=True):
        source = ports[synapses.connection.source]
        options = _options(synapses, fixed=fixed)
        lines.append(f"    connect({source}, {matrix!r}, {variable}.a_in{options})\n")
    if layer.axon is not None:
        exponent = f", weight_exp={layer.axon_exponent}" if fixed else ""
        one = "Source(data=np.ones((1, 1), dtype=DTYPE)).s_out"
        lines.append("    # biases behind a synaptic current: a source that is always on\n")
        lines.append(f"    connect({one}, {matrices.axon!r}, {variable}.a_in{exponent})\n")
    return [*lines, "\n"]


def kind(layer: LavaLayer) -> str:
    """What happens at a spike, in the words of the script."""
    if layer.kind == "subtract":
        return "subtract, delayed" if layer.reset_delay else "subtract"
    return "membrane" if layer.kind == "membrane" else "zero"


@dataclass(frozen=True)
class MatrixNames:
    """How the weights into a layer are called in the .npz: of its synapses, in their order, and of its axon."""

    synapses: tuple[str, ...]
    axon: str


def matrix_names(job: LavaJob) -> dict[str, MatrixNames]:
    """Names by layer, no two alike whatever the layers are called."""
    taken: set[str] = set()

    def name(proposed: str) -> str:
        found = unique(proposed, taken)
        taken.add(found)
        return found

    return {
        layer.name: MatrixNames(
            tuple(name(f"{synapses.connection.source}->{layer.name}") for synapses in layer.synapses),
            name(f"{layer.name}.axon"),
        )
        for layer in job.layers
    }


def _options(synapses: LavaSynapses, *, fixed: bool) -> str:
    found = [f"late={synapses.relays}"] if synapses.relays else []
    if synapses.graded:
        found.append("num_message_bits=24")
    if fixed:
        found.append(f"weight_exp={synapses.exponent}")
        if synapses.mixed:
            found.append("sign_mode=SignMode.MIXED")
    return "".join(f", {each}" for each in found)


def _key(layer: LavaLayer, constant: str) -> str:
    return repr(f"{layer.name}.{constant}")


def _check_of_inputs(model: Model) -> list[str]:
    """What the script says to inputs that it would run as something else: another order of axes, or no spikes."""
    shape, needed = model.network.input_shape, _input_words(model)
    fits = f"inputs.shape[1:] == {shape!r}"
    if not model.encoding.static:
        fits = f"inputs.shape[:1] == (STEPS,) and inputs.shape[2:] == {shape!r}"
    lines = [
        f"    if not ({fits}):\n",
        f'        parser.error(f"INPUTS.npy holds {needed}, found {{list(inputs.shape)}}")\n',
    ]
    if not model.encoding.analog:
        lines.append("    if not np.isin(inputs, (0, 1)).all():\n")
        lines.append('        parser.error("INPUTS.npy holds spikes, which are 0 and 1")\n')
    return lines


def _ending(model: Model, job: LavaJob, levels: InputLevels | None) -> str:
    lines = _check_of_inputs(model)
    if levels is not None:
        lines.append(f"    inputs = np.clip(np.rint(inputs * {levels.of_one!r}), {levels.least}, {levels.most})\n")
    if model.encoding.static:
        lines.append("    inputs = np.broadcast_to(inputs, (STEPS, *inputs.shape))\n")
    lines.append("    inputs = inputs.reshape(*inputs.shape[:2], -1)\n")
    if remembers(job):
        lines.append("    # Synapses that hold spikes back would hand them to the next sample: one run for each.\n")
        lines.append("    runs = [run(inputs[:, [sample]]) for sample in range(inputs.shape[1])]\n")
        lines.append(
            "    outputs = {name: np.concatenate([each[name] for each in runs], axis=1) for name in runs[0]}\n"
        )
    else:
        lines.append("    outputs = run(inputs)\n")
    membranes = [layer.name for layer in job.layers if kind(layer) == "membrane"]
    counted = "{np.count_nonzero(values)} spikes"
    if membranes:
        lines.append(f"    membranes = {membranes!r}  # layers that do not spike\n")
    lines.append("    for name, values in outputs.items():\n")
    if membranes:
        lines.append(f'        sent = "membranes" if name in membranes else f"{counted}"\n')
        counted = "{sent}"
    lines.append(f'        print(f"{{name}}: {counted} in {{values.shape[1]}} samples")\n')
    lines.append("    if given.save is not None:\n")
    lines.append('        saved = {f"{name}.outputs": values for name, values in outputs.items()}\n')
    lines.append("        np.savez(given.save, **saved)\n")
    lines.append('\n\nif __name__ == "__main__":\n    main()\n')
    return "".join(lines)
