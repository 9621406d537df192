"""The forms of a network in ONNX: one step, a loop over time (Scan), or all steps written out."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import numpy as np
import onnx
from onnx import TensorProto, helper

from spear_deploy.exporters.onnx.graph import GraphBuilder, value
from spear_deploy.exporters.onnx.step import Step
from spear_deploy.network import Model

BATCH = "batch"
TIME = "time_steps"
NEXT = ".next"
"""What a new state is called: the name of the state with this behind it."""


class Form(StrEnum):
    """What one call of the network computes.

    STEP: one time step; states go in and come out.
    SCAN: a whole inference as a loop; spike input may have any number of steps.
    UNROLL: a whole inference, every step written out, for tools that know no loops.
    """

    STEP = "step"
    SCAN = "scan"
    UNROLL = "unroll"


def graph_of(model: Model, step: Step, form: Form) -> onnx.GraphProto:
    """The graph of a model.

    The input is called as in the network, and so is the output of each neuron layer. A step
    takes `[B, *input_shape]`; a whole inference takes the static sample `[B, *input_shape]` of a
    directly encoded model, else `[T, B, *input_shape]`, and gives `[T, B, *shape]` for each layer.
    """
    return _FORMS[form](model, step)


def _one_step(model: Model, step: Step) -> onnx.GraphProto:
    builder, network = GraphBuilder(), step.network
    states = {state: state for state in step.states}
    outputs, new = step.add(builder, {network.input: network.input}, states)
    for state in states:
        builder.add("Identity", [new[state]], f"{state}{NEXT}")
    inputs = [value(network.input, (BATCH, *network.input_shape))]
    inputs += [value(state, (BATCH, *shape)) for state, shape in step.states.items()]
    given = [value(name, (BATCH, *network.shapes[name])) for name in outputs]
    given += [value(f"{state}{NEXT}", (BATCH, *shape)) for state, shape in step.states.items()]
    return helper.make_graph(builder.nodes, "step", inputs, given, list(builder.constants.values()))


def _scan(model: Model, step: Step) -> onnx.GraphProto:
    builder, network = GraphBuilder(), step.network
    static = model.encoding.static
    known = step.add_static(builder, network.input) if static else {}
    start = _start(builder, step, network.input, batch_axis=0 if static else 1)
    states = {state: f"{state}@t" for state in step.states}
    # A loop must run over something: static samples come once, so it runs over the numbers of the steps.
    each = "step@t" if static else f"{network.input}@t"
    body = GraphBuilder(constants=builder.constants, mark="@t")
    outputs, new = step.add(body, known if static else {network.input: each}, states)
    new_names = [body.add("Identity", [new[state]], f"{state}{NEXT}") for state in states]
    out_names = [body.add("Identity", [outputs[name]], f"{name}.row") for name in outputs]
    in_values = [value(states[state], (BATCH, *shape)) for state, shape in step.states.items()]
    in_values.append(value(each, () if static else (BATCH, *network.input_shape)))
    out_values = [value(name, (BATCH, *shape)) for name, shape in zip(new_names, step.states.values(), strict=True)]
    out_values += [value(name, (BATCH, *network.shapes[layer])) for name, layer in zip(out_names, outputs, strict=True)]
    loop = helper.make_graph(body.nodes, "step", in_values, out_values)
    over = builder.constant("steps", np.arange(model.time_steps)) if static else network.input
    builder.nodes.append(
        helper.make_node(
            "Scan",
            [*start, over],
            [*(f"{state}.last" for state in states), *outputs],
            name="time/Scan",
            body=loop,
            num_scan_inputs=1,
        )
    )
    return _whole(model, step, builder, "inference", model.time_steps if static else TIME)


def _unrolled(model: Model, step: Step) -> onnx.GraphProto:
    builder, network = GraphBuilder(), step.network
    static = model.encoding.static
    known = step.add_static(builder, network.input) if static else {}
    states = dict(zip(step.states, _start(builder, step, network.input, batch_axis=0 if static else 1), strict=True))
    seen: dict[str, list[str]] = {name: [] for name in network.layers}
    time_axis = builder.constant("time_axis", [0], np.int64)
    for t in range(model.time_steps):
        with builder.marked(f"@{t}"):
            if not static:
                index = builder.constant(f"step{t}", t, np.int64)
                known = {network.input: builder.add("Gather", [network.input, index], network.input, axis=0)}
            outputs, states = step.add(builder, known, states)
            for name, output in outputs.items():
                seen[name].append(builder.add("Unsqueeze", [output, time_axis], f"{name}.row"))
    for name, rows in seen.items():
        builder.add("Concat", rows, name, axis=0)
    return _whole(model, step, builder, "inference", model.time_steps)


_FORMS: dict[Form, Callable[[Model, Step], onnx.GraphProto]] = {
    Form.STEP: _one_step,
    Form.SCAN: _scan,
    Form.UNROLL: _unrolled,
}


def _start(builder: GraphBuilder, step: Step, x: str, batch_axis: int) -> list[str]:
    """States of zeros for as many samples as the input has."""
    shape = builder.add("Shape", [x], "input_shape", start=batch_axis, end=batch_axis + 1)
    zero = helper.make_tensor("zero", TensorProto.FLOAT, [1], [0.0])
    found = []
    for state, sizes in step.states.items():
        rest = builder.constant(f"{state}.shape", sizes, np.int64)
        whole = builder.add("Concat", [shape, rest], f"{state}.start_shape", axis=0)
        found.append(builder.add("ConstantOfShape", [whole], f"{state}.start", value=zero))
    return found


def _whole(model: Model, step: Step, builder: GraphBuilder, name: str, steps: int | str) -> onnx.GraphProto:
    network = step.network
    lead = (BATCH,) if model.encoding.static else (steps, BATCH)
    inputs = [value(network.input, (*lead, *network.input_shape))]
    outputs = [value(layer, (steps, BATCH, *network.shapes[layer])) for layer in network.layers]
    return helper.make_graph(builder.nodes, name, inputs, outputs, list(builder.constants.values()))
