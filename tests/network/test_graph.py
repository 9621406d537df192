import nir
import numpy as np
import pytest
import torch
from network_builders import graph_of, lif

from spear_deploy.errors import ModelError
from spear_deploy.network import Connection, Network, Simulation


def dense(outputs, inputs, value=1.0):
    return nir.Linear(weight=np.full((outputs, inputs), value))


def test_connections_join_neuron_layers_through_linear_nodes():
    network = Network(graph_of((3,), ("fc1", dense(4, 3)), ("lif1", lif(4)), ("fc2", dense(2, 4)), ("lif2", lif(2))))
    assert network.layers == ["lif1", "lif2"]
    assert network.connections == [Connection("input", "lif1", ("fc1",)), Connection("lif1", "lif2", ("fc2",))]
    assert (network.input_shape, network.classes, network.read_out) == ((3,), 2, "lif2")


def views(network):
    return network.layers, network.stages, network.connections, network.feedback, network.shapes


def test_a_narrower_network_that_is_connected_like_another_is_viewed_as_if_it_stood_alone():
    def recurrent(size):
        graph = graph_of((2,), ("in", dense(size, 2)), ("lif", lif(size)), extra_edges=[("lif", "rec"), ("rec", "lif")])
        graph.nodes["rec"] = dense(size, size)
        return graph

    whole = Network(recurrent(5))
    assert views(Network(recurrent(3), whole)) == views(Network(recurrent(3)))
    assert whole.shapes["lif"] == (5,)


def test_nothing_is_taken_from_a_network_that_is_connected_otherwise():
    layers = ("a", lif(3)), ("fc", dense(3, 3)), ("b", lif(3))
    chain, residual = graph_of((3,), *layers), graph_of((3,), *layers, extra_edges=[("a", "b")])
    assert views(Network(residual, Network(chain))) == views(Network(residual))
    other = graph_of((3,), ("a", lif(3)), ("fc", lif(3)), ("b", lif(3)))
    assert views(Network(other, Network(chain))) == views(Network(other))


def test_a_residual_branch_is_summed_at_its_target():
    graph = graph_of((3,), ("a", lif(3)), ("fc", dense(3, 3, 0.2)), ("b", lif(3)), extra_edges=[("a", "b")])
    network = Network(graph)
    assert network.into("b") == [Connection("a", "b", ()), Connection("a", "b", ("fc",))]
    x = torch.rand(8, 5, 3, dtype=torch.float64) * 3
    trace = Simulation(graph, torch.float64)(x)
    a = trace.outputs["a"]
    v = torch.zeros(5, 3, dtype=torch.float64)
    for t in range(8):
        v = 0.5 * v + a[t] + 0.2 * a[t].sum(-1, keepdim=True)
        spikes = (v > 1).double()
        assert torch.equal(trace.outputs["b"][t], spikes)
        v = v * (1 - spikes)


def test_a_cycle_through_a_neuron_carries_the_previous_steps_spikes():
    graph = graph_of((2,), ("in", dense(3, 2, 0.4)), ("lif", lif(3)), extra_edges=[("lif", "rec"), ("rec", "lif")])
    graph.nodes["rec"] = dense(3, 3, 0.25)
    assert Network(graph).feedback == {("lif", "rec")}
    x = torch.rand(12, 4, 2, dtype=torch.float64) * 2
    found = Simulation(graph, torch.float64)(x).output
    v = torch.zeros(4, 3, dtype=torch.float64)
    spikes = torch.zeros_like(v)
    for t in range(12):
        v = 0.5 * v + 0.4 * x[t].sum(-1, keepdim=True) + 0.25 * spikes.sum(-1, keepdim=True)
        spikes = (v > 1).double()
        assert torch.equal(found[t], spikes)
        v = v * (1 - spikes)
    assert found.sum() > 0


def _without(graph, *names):
    nodes = {name: node for name, node in graph.nodes.items() if name not in names}
    return nir.NIRGraph(nodes, [e for e in graph.edges if not set(e) & set(names)], type_check=False)


def chain():
    return graph_of((3,), ("fc", dense(4, 3)), ("lif", lif(4)))


def _cycle():
    graph = chain()
    graph.nodes |= {"loop_a": dense(4, 4), "loop_b": dense(4, 4)}
    graph.edges += [("loop_a", "loop_b"), ("loop_b", "loop_a"), ("loop_b", "lif")]
    return graph


def _nan():
    graph = chain()
    graph.nodes["fc"].weight[0, 0] = np.nan
    return graph


def _beyond_float32():
    graph = chain()
    graph.nodes["fc"].weight = graph.nodes["fc"].weight.astype(np.float64)
    graph.nodes["fc"].weight[0, 0] = -1e100
    return graph


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (lambda: nir.NIRGraph({}, [], type_check=False), "the graph is empty"),
        (lambda: _without(chain(), "input"), "exactly one Input node, found none"),
        (lambda: _without(chain(), "output"), "exactly one Output node, found none"),
        (lambda: graph_of((3,), ("fc", dense(4, 3))), "no neurons"),
        (
            lambda: graph_of((3,), ("a", lif(3)), ("b", lif(3, dt=1e-3))),
            "all neurons of a network share one time step, found a 0.0001 s, b 0.001 s",
        ),
        (_cycle, "loop_a -> loop_b -> loop_a: a cycle that passes through no neuron"),
        (_nan, "fc: weight must be finite, found nan"),
        (_beyond_float32, r"fc: weight must fit into float32, up to 3.4e\+38, found -1e\+100"),
        (lambda: graph_of((3,), ("fc", dense(4, 5)), ("lif", lif(4))), "fc: Linear cannot take the 3 that input gives"),
        (lambda: graph_of((3,), ("fc", dense(4, 3)), ("lif", lif(5))), "fc -> lif: fc gives 4, lif takes 5"),
        (lambda: graph_of((3,), ("lif", lif(3)), ("fc", dense(2, 3))), "output: the output must come from one neuron"),
        (
            lambda: graph_of((3,), ("lif", lif(3)), extra_edges=[("lif", "ghost")]),
            "edge lif -> ghost: there is no node 'ghost'",
        ),
    ],
)
def test_a_graph_that_cannot_run_is_refused_by_node_and_numbers(graph, message):
    with pytest.raises(ModelError, match=message):
        _ = Network(graph()).read_out


@pytest.mark.parametrize("name", ["a/b", "", ".", "a\x1b[2J", "a\nb"])
def test_a_name_that_no_file_can_hold_is_refused(name):
    graph = graph_of((3,), (name, lif(3)))
    with pytest.raises(ModelError, match="no name of a node: names are printable"):
        Network(graph)
