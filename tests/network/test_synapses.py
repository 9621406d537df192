import itertools

import nir
import numpy as np
import pytest
import torch
from network_builders import graph_of, lif
from torch.nn import functional

from spear_deploy.network import Network, bias_current, fan_out, synapse_matrix
from spear_deploy.network.linear import linear_module
from spear_deploy.network.node_matrix import node_matrix


def conv2d(outputs, inputs, kernel, *, stride=(1, 1), padding=(0, 0), groups=1, zeros=0.0, seed=0):
    rng = np.random.default_rng(seed)
    weight = rng.standard_normal((outputs, inputs // groups, *kernel))
    weight[rng.random(weight.shape) < zeros] = 0
    return nir.Conv2d(None, weight, stride, padding, (1, 1), groups, rng.standard_normal(outputs))


def walk_conv(shape, node):
    """Every synapse of a convolution, one by one: (source, target, weight)."""
    _, height, width = shape
    outputs, per_group, kh, kw = node.weight.shape
    (sh, sw), (ph, pw) = node.stride, node.padding
    out_h, out_w = (height + 2 * ph - kh) // sh + 1, (width + 2 * pw - kw) // sw + 1
    for out, y, x in itertools.product(range(outputs), range(out_h), range(out_w)):
        first = out // (outputs // node.groups) * per_group
        for c, i, j in itertools.product(range(per_group), range(kh), range(kw)):
            row, column = y * sh + i - ph, x * sw + j - pw
            weight = node.weight[out, c, i, j]
            if 0 <= row < height and 0 <= column < width and weight != 0:
                yield (first + c, row, column), (out, y, x), weight


CONVOLUTIONS = {
    "plain": ((2, 5, 6), conv2d(3, 2, (3, 3))),
    "strided and padded": ((2, 7, 6), conv2d(4, 2, (3, 3), stride=(2, 2), padding=(1, 1))),
    "uneven axes": ((1, 7, 9), conv2d(2, 1, (2, 4), stride=(1, 3), padding=(0, 2))),
    "depthwise": ((4, 6, 6), conv2d(4, 4, (3, 3), padding=(1, 1), groups=4)),
    "half of the weights zero": ((2, 6, 6), conv2d(6, 2, (3, 3), stride=(2, 1), zeros=0.5, groups=2)),
}


def layer(shape, node):
    out = functional.conv2d(
        torch.zeros(1, *shape, dtype=torch.float64),
        torch.from_numpy(node.weight),
        stride=node.stride,
        padding=node.padding,
        groups=node.groups,
    ).shape[1:]
    return Network(graph_of(shape, ("source", lif(shape)), ("conv", node), ("target", lif(tuple(out)))))


@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_fan_out_counts_every_synapse_of_a_convolution(case):
    shape, node = CONVOLUTIONS[case]
    network = layer(shape, node)
    expected = np.zeros(shape)
    for source, _, _ in walk_conv(shape, node):
        expected[source] += 1
    found = fan_out(network, network.into("target")[0])
    np.testing.assert_array_equal(found.numpy(), expected)


@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_the_matrix_of_a_convolution_holds_every_synapse(case):
    shape, node = CONVOLUTIONS[case]
    network = layer(shape, node)
    expected = np.zeros((*network.shapes["target"], *shape))
    for source, target, weight in walk_conv(shape, node):
        expected[(*target, *source)] += weight
    found = synapse_matrix(network, network.into("target")[0]).toarray()
    np.testing.assert_allclose(found.reshape(expected.shape), expected, rtol=1e-14, atol=0)


def pooled(pool):
    """Neurons of 2 x 6 x 6, a 2 x 2 pool, a dense layer with a zero row."""
    pooling = pool(np.array([2, 2]), np.array([2, 2]), np.array([0, 0]))
    weight = np.random.default_rng(3).standard_normal((5, 18))
    weight[:, 4] = 0
    dense = nir.Affine(weight, np.arange(5.0))
    flat = nir.Flatten(np.array([2, 3, 3]), 0, -1)
    source, target = lif((2, 6, 6)), lif(5)
    chain = (("source", source), ("pool", pooling), ("flat", flat), ("dense", dense), ("target", target))
    return Network(graph_of((2, 6, 6), *chain)), weight


@pytest.mark.parametrize("pool", [nir.SumPool2d, nir.AvgPool2d])
def test_a_pool_routes_and_does_not_count(pool):
    network, weight = pooled(pool)
    expected = np.zeros((2, 6, 6))
    for c, y, x in np.ndindex(2, 6, 6):
        expected[c, y, x] = np.count_nonzero(weight[:, c * 9 + (y // 2) * 3 + x // 2])
    np.testing.assert_array_equal(fan_out(network, network.into("target")[0]).numpy(), expected)


@pytest.mark.parametrize("pool", [nir.SumPool2d, nir.AvgPool2d])
def test_the_matrix_of_a_path_does_what_torch_does(pool):
    network, weight = pooled(pool)
    x = torch.rand(7, 2, 6, 6, dtype=torch.float64)
    scale = 4 if pool is nir.SumPool2d else 1
    expected = functional.avg_pool2d(x, 2).flatten(1) * scale @ torch.from_numpy(weight).T
    found = synapse_matrix(network, network.into("target")[0]) @ x.flatten(1).numpy().T
    np.testing.assert_allclose(found.T, expected.numpy(), rtol=1e-12, atol=1e-12)


def test_biases_arrive_once_a_step():
    network, _ = pooled(nir.SumPool2d)
    np.testing.assert_array_equal(bias_current(network, "target"), np.arange(5.0))


def test_neurons_joined_one_to_one_have_one_synapse_each():
    network = Network(graph_of((3,), ("a", lif(3)), ("b", lif(3))))
    np.testing.assert_array_equal(fan_out(network, network.into("b")[0]).numpy(), np.ones(3))


def square_pool(kind, size, hop, edge):
    return kind(np.array([size, size]), np.array([hop, hop]), np.array([edge, edge]))


NODES = {
    "dense": ((6,), nir.Linear(np.arange(12.0).reshape(2, 6) - 4)),
    "dense on the last axis": ((3, 4), nir.Linear(np.arange(8.0).reshape(2, 4) - 3)),
    "convolution": ((2, 7, 6), conv2d(4, 2, (3, 2), stride=(2, 1), padding=(1, 2), zeros=0.3)),
    "groups": ((4, 5, 5), conv2d(6, 4, (3, 3), padding=(1, 1), groups=2)),
    "dilated": ((1, 9, 8), nir.Conv2d(None, np.arange(1.0, 9.0).reshape(2, 1, 2, 2), 1, 0, (3, 2), 1, np.ones(2))),
    "padded to the same size": ((1, 6, 5), nir.Conv2d(None, np.ones((1, 1, 5, 3)), 1, "same", 1, 1, np.ones(1))),
    "along time": ((2, 11), nir.Conv1d(None, np.arange(12.0).reshape(3, 2, 2) - 5, 3, 1, 2, 1, np.ones(3))),
    "sum pool": ((2, 6, 6), square_pool(nir.SumPool2d, 2, 2, 0)),
    "pools that overlap": ((2, 7, 7), square_pool(nir.AvgPool2d, 3, 2, 1)),
    "factors": ((2, 3), nir.Scale(np.arange(6.0).reshape(2, 3))),
}


@pytest.mark.parametrize("case", NODES)
def test_the_matrix_of_a_node_is_what_the_node_does_to_one_spike_at_a_time(case):
    shape, node = NODES[case]
    module = linear_module(node, case, torch.float64)
    spikes = torch.eye(int(np.prod(shape)), dtype=torch.float64).reshape(-1, *shape)
    with torch.no_grad():
        responses = module(spikes) - module(torch.zeros_like(spikes))  # without bias
    found = node_matrix(node, case, shape, tuple(responses.shape[1:]))
    np.testing.assert_allclose(found.toarray().T, responses.flatten(1).numpy(), atol=1e-12)
    assert found.nnz == np.count_nonzero(found.toarray())


def test_a_layer_of_many_neurons_is_written_out_by_index():
    """Its dense matrix, or a spike of every neuron, would hold 16,384^2 numbers."""
    shape, node = (16, 32, 32), conv2d(16, 16, (3, 3), padding=(1, 1))
    network = layer(shape, node)
    found = synapse_matrix(network, network.into("target")[0])
    assert found.nnz == 16 * 16 * (32 * 3 - 2) ** 2
    np.testing.assert_array_equal(np.diff(found.tocsc().indptr), fan_out(network, network.into("target")[0]).flatten())


SEVERAL_WAYS = {
    "pool behind weights": [("conv", conv2d(4, 2, (3, 3))), ("pool", square_pool(nir.AvgPool2d, 2, 2, 0))],
    "pool that overlaps": [("pool", square_pool(nir.SumPool2d, 3, 2, 0)), ("conv", conv2d(4, 2, (2, 2)))],
    "depthwise and pointwise": [("depth", conv2d(4, 2, (3, 3), groups=2)), ("point", conv2d(5, 4, (1, 1)))],
    "pool that does not": [("pool", square_pool(nir.AvgPool2d, 2, 2, 0)), ("conv", conv2d(4, 2, (2, 2)))],
}


@pytest.mark.parametrize("case", SEVERAL_WAYS)
def test_neurons_that_several_ways_join_have_one_synapse(case):
    """As a chip holds them: the neurons that a spike reaches are those that one spike at a time changes."""
    shape, layers = (2, 9, 9), SEVERAL_WAYS[case]
    spikes = torch.eye(int(np.prod(shape)), dtype=torch.float64).reshape(-1, *shape)
    with torch.no_grad():
        reached, zero = spikes, torch.zeros_like(spikes[:1])
        for name, node in layers:
            module = linear_module(node, name, torch.float64)
            reached, zero = module(reached), module(zero)
    target = lif(tuple(reached.shape[1:]))
    network = Network(graph_of(shape, ("source", lif(shape)), *layers, ("target", target)))
    expected = ((reached - zero).abs() > 1e-12).flatten(1).sum(1).reshape(shape)
    np.testing.assert_array_equal(fan_out(network, network.into("target")[0]).numpy(), expected.numpy())


def test_weights_that_are_written_into_are_counted_anew():
    network = Network(graph_of((4,), ("a", lif(4)), ("w", nir.Linear(np.ones((3, 4)))), ("b", lif(3))))
    connection = network.into("b")[0]
    assert fan_out(network, connection).tolist() == [3, 3, 3, 3]
    network.nodes["w"].weight[0, 1] = network.nodes["w"].weight[2, 1] = 0
    assert fan_out(network, connection).tolist() == [3, 1, 3, 3]
