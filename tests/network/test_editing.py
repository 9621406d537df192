from pathlib import Path

import nir
import numpy as np

import spear_deploy
from spear_deploy.network.editing import graph_of, with_arrays, with_nodes

ROOT = Path(spear_deploy.__file__).parents[1]


def three_nodes():
    nodes = {
        "in": nir.Input(np.array([2])),
        "fc": nir.Linear(np.ones((3, 2))),
        "out": nir.Output(np.array([3])),
    }
    return graph_of(nodes, [("in", "fc"), ("fc", "out")], {"dt": 1e-3})


def test_a_graph_with_other_nodes_keeps_edges_and_metadata_and_leaves_the_first_as_it_was():
    graph = three_nodes()
    doubled = with_nodes(graph, {**graph.nodes, "fc": nir.Linear(2 * np.ones((3, 2)))})
    doubled.metadata["dt"] = 1.0
    doubled.edges.append(("out", "in"))
    assert float(doubled.nodes["fc"].weight.sum()) == 12
    assert float(graph.nodes["fc"].weight.sum()) == 6
    assert graph.metadata == {"dt": 1e-3}
    assert graph.edges == [("in", "fc"), ("fc", "out")]


def test_a_graph_may_be_given_other_edges():
    graph = three_nodes()
    assert with_nodes(graph, graph.nodes, [("in", "out")]).edges == [("in", "out")]


def test_a_node_with_another_array_keeps_the_rest():
    node = nir.LIF(tau=np.ones(2), r=np.full(2, 3.0), v_leak=np.zeros(2), v_threshold=np.ones(2), metadata={"dt": 1.0})
    slower = with_arrays(node, {"tau": np.full(2, 5.0)})
    assert (slower.tau.tolist(), slower.r.tolist(), slower.metadata) == ([5, 5], [3, 3], {"dt": 1.0})
    assert node.tau.tolist() == [1, 1]


def test_graphs_are_made_in_one_place():
    made = [
        str(path.relative_to(ROOT))
        for folder in ("spear_deploy", "exporters")
        for path in (ROOT / folder).rglob("*.py")
        if "NIRGraph(" in path.read_text()
    ]
    assert made == ["spear_deploy/network/editing.py"]
