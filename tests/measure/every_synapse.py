"""Synaptic operations by walking every synapse for every spike, in plain Python loops."""

import nir
import numpy as np


def walk_every_synapse(graph, inputs, outputs, *, count_input):
    """Operations of each sample: inputs `[T, B, *shape]`, outputs of every neuron layer alike.

    Pools hand a spike on to where its window writes; each window that holds it counts.
    """
    signals = {"input": inputs.numpy()} if count_input else {}
    signals |= {name: output.numpy() for name, output in outputs.items()}
    totals = [0] * inputs.shape[1]
    for source, values in signals.items():
        for event in np.argwhere(values != 0):
            position = tuple(int(n) for n in event[2:])
            totals[event[1]] += _synapses_from(graph, source, position, values.shape[2:])
    return totals


def _synapses_from(graph, name, position, shape):
    """Non-zero synapses that one spike at `position` of what `name` gives (of `shape`) runs through."""
    return sum(_through(graph, target, position, shape) for source, target in graph.edges if source == name)


def _through(graph, name, position, shape):
    node = graph.nodes[name]
    if isinstance(node, nir.Output):
        return 0
    if hasattr(node, "tau") or hasattr(node, "tau_mem"):
        return 1  # joined one to one: a synapse of its own
    if isinstance(node, nir.Scale | nir.Delay):  # here no scale is zero
        return _synapses_from(graph, name, position, shape)
    if isinstance(node, nir.Affine | nir.Linear):
        return sum(1 for row in range(node.weight.shape[0]) if node.weight[row, position[0]] != 0)
    if isinstance(node, nir.Flatten):
        channel, row, column = position
        place = (channel * shape[1] + row) * shape[2] + column
        return _synapses_from(graph, name, (place,), (int(np.prod(shape)),))
    if isinstance(node, nir.SumPool2d | nir.AvgPool2d):
        channel, row, column = position
        size, stride = int(node.kernel_size[0]), int(node.stride[0])
        after = (shape[0], (shape[1] - size) // stride + 1, (shape[2] - size) // stride + 1)
        total = 0
        for y in range(after[1]):
            for x in range(after[2]):
                if 0 <= row - y * stride < size and 0 <= column - x * stride < size:
                    total += _synapses_from(graph, name, (channel, y, x), after)
        return total
    assert isinstance(node, nir.Conv2d)
    return _through_convolution(node, position, shape)


def _through_convolution(node, position, shape):
    channel, row, column = position
    outputs, per_group, height, width = node.weight.shape
    stride, padding = node.stride[0], node.padding[0]
    out_height = (shape[1] + 2 * padding - height) // stride + 1
    out_width = (shape[2] + 2 * padding - width) // stride + 1
    total = 0
    for out in range(outputs):
        first = out // (outputs // node.groups) * per_group
        if not first <= channel < first + per_group:
            continue
        for y in range(out_height):
            for x in range(out_width):
                i, j = row + padding - y * stride, column + padding - x * stride
                if 0 <= i < height and 0 <= j < width and node.weight[out, channel - first, i, j] != 0:
                    total += 1
    return total
