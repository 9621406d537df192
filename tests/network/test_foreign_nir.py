"""NIR graphs that others wrote."""

from pathlib import Path

import nir
import numpy as np
import pytest
import torch
from network_builders import graph_of, lif
from torch.nn import functional

from spear_deploy.errors import ModelError
from spear_deploy.network import Network, Simulation, flatten, from_nir, load_any, write_nir

CASES = Path(__file__).parents[3] / "shared" / "cases" / "nir"

needs_cases = [
    pytest.mark.cases,
    pytest.mark.skipif(not CASES.is_dir(), reason="the folder of real networks is not beside the checkout"),
]


def write(graph, path):
    nir.write(path, graph)
    return path


def bare(graph):
    for node in graph.nodes.values():
        node.metadata = {}
    return graph


def dense(outputs, inputs, seed=0):
    return nir.Linear(np.random.default_rng(seed).normal(0.3, 0.5, (outputs, inputs)).astype(np.float32))


def test_a_layer_that_the_exporter_left_out_is_named():
    """As norse's does with pools and Flatten."""
    graph = graph_of((3,), ("fc", dense(4, 3)), ("lif", lif(4, beta=0.8)))
    graph.nodes["pool"] = None
    with pytest.raises(ModelError, match=r"^pool: no NIR node; the graph's exporter did not know this layer"):
        from_nir(graph, time_steps=5)


def test_a_graph_without_metadata_runs_by_forward_euler_and_says_what_was_assumed(tmp_path):
    graph = bare(graph_of((3,), ("fc", dense(4, 3)), ("lif", lif(4, beta=0.8))))
    model = load_any(write(graph, tmp_path / "g.nir"), time_steps=30)
    assert model.time_steps == 30
    assert any("dt = 0.0001 s is assumed" in notice for notice in model.notices)
    assert any("'direct' is assumed" in notice for notice in model.notices)
    assert any("lif: no reset is named: to v_reset is assumed" in notice for notice in model.notices)
    x = torch.rand(30, 4, 3, dtype=torch.float64)
    current = x @ torch.from_numpy(graph.nodes["fc"].weight).double().T
    v, found = torch.zeros(4, 4).double(), Simulation(model.graph, torch.float64)(x).output
    for t in range(30):
        v = v + 1e-4 / 5e-4 * (5 * current[t] - v)
        assert torch.equal(found[t], (v > 1).double())
        v = torch.where(v > 1, 0, v)
    assert found.sum() > 0


def test_the_time_step_may_be_given_but_not_against_the_metadata(tmp_path):
    path = write(bare(graph_of((3,), ("fc", dense(4, 3)), ("lif", lif(4, beta=0.8)))), tmp_path / "g.nir")
    model = load_any(path, time_steps=3, dt_s=5e-5)
    np.testing.assert_allclose(model.network.neurons["lif"].beta, 0.9)
    write_nir(model, tmp_path / "again.nir")
    assert load_any(tmp_path / "again.nir").network.dt_s == 5e-5
    with pytest.raises(ModelError, match=r"lif: its metadata says dt = 5e-05 s, `dt_s` says 0\.001 s"):
        load_any(tmp_path / "again.nir", dt_s=1e-3)


def test_the_number_of_time_steps_has_to_come_from_somewhere(tmp_path):
    path = write(bare(graph_of((3,), ("fc", dense(4, 3)), ("lif", lif(4)))), tmp_path / "g.nir")
    with pytest.raises(ModelError, match=r"g\.nir: this NIR graph does not say for how many time steps"):
        load_any(path)


def test_a_graph_that_ends_in_a_membrane_is_read_by_it(tmp_path):
    ones = np.ones(4)
    integrator = nir.LI(tau=ones * 1e-3, r=ones, v_leak=ones * 0)
    graph = graph_of((3,), ("fc", dense(4, 3)), ("li", integrator))
    assert load_any(write(graph, tmp_path / "g.nir"), time_steps=3).read_out == "membrane"


def nested():
    inner = graph_of((3,), ("fc", dense(4, 3)), ("lif", lif(4)), ("rec", dense(4, 4, 1)))
    inner.edges = [("input", "fc"), ("fc", "lif"), ("lif", "rec"), ("rec", "lif"), ("lif", "output")]
    inner.nodes["output"] = nir.Output(np.array([4]))
    middle = graph_of((3,), ("cell", inner), output_shape=(4,))
    return graph_of((3,), ("block", middle), ("last", lif(4)), output_shape=(4,))


def test_nested_graphs_are_flattened_with_equal_spikes(tmp_path):
    model = load_any(write(nested(), tmp_path / "g.nir"), time_steps=20)
    assert model.network.layers == ["block.cell.lif", "last"]
    assert model.network.feedback == {("block.cell.lif", "block.cell.rec")}
    flat = graph_of((3,), ("fc", dense(4, 3)), ("a", lif(4)), ("z", lif(4)), extra_edges=[("a", "rec"), ("rec", "a")])
    flat.nodes["rec"] = dense(4, 4, 1)
    x = 2 * torch.rand(20, 5, 3, dtype=torch.float64)
    expected = Simulation(flat, torch.float64)(x).output
    assert expected.sum() > 0
    assert torch.equal(Simulation(model.graph, torch.float64)(x).output, expected)


def test_a_nested_graph_with_two_inputs_is_refused():
    graph = nested()
    graph.nodes["block"].nodes["second"] = nir.Input(np.array([3]))
    with pytest.raises(ModelError, match="block: a graph in the graph needs exactly one Input, found 2"):
        flatten(graph)


@pytest.mark.parametrize("kind", ["float16", "int8", "int64", "float64", "float32"])
def test_narrow_weights_are_widened_exactly_with_a_notice(tmp_path, kind):
    weight = np.random.default_rng(0).normal(0, 30, (4, 3)).astype(kind)
    graph = graph_of((3,), ("fc", nir.Linear(weight)), ("lif", lif(4)))
    model = load_any(write(graph, tmp_path / "g.nir"), time_steps=3)
    found = model.graph.nodes["fc"].weight
    assert found.dtype in (np.float32, np.float64)
    np.testing.assert_array_equal(found.astype(np.float64), weight.astype(np.float64))
    assert any(f"fc: weight: {kind} widened exactly" in notice for notice in model.notices) is (
        "float" not in kind or kind == "float16"
    )


def test_integers_that_no_float_holds_are_refused(tmp_path):
    graph = graph_of((3,), ("fc", nir.Linear(np.full((4, 3), 2**60 + 1))), ("lif", lif(4)))
    with pytest.raises(ModelError, match=r"fc: weight: holds integers up to \d+, exact only up to 2\^53"):
        load_any(write(graph, tmp_path / "g.nir"), time_steps=3)


def euler(kind, current):
    """Forward Euler of NIR's equations with dt = 1e-4, one neuron kind each."""
    dt, v, i, out = 1e-4, torch.zeros_like(current[0]), torch.zeros_like(current[0]), []
    for x in current:
        if kind in ("CubaLIF", "CubaLI"):
            i = i + dt / 2e-4 * (1.5 * x - i)
            v = v + dt / 1e-3 * (0.1 - v + 8 * i)
        elif kind in ("LIF", "LI"):
            v = v + dt / 1e-3 * (0.1 - v + 8 * x)
        elif kind in ("IF", "I"):
            v = v + dt * 3000 * x
        else:
            v = x
        if kind in ("CubaLI", "LI", "I"):
            out.append(v)
            continue
        spikes = v > 0.6
        out.append(spikes.double())
        if kind != "Threshold":
            v = torch.where(spikes, 0.2, v)
    return torch.stack(out)


ONES = np.ones(4)
MEMBRANE = {"r": ONES * 8, "v_leak": ONES * 0.1}
SPIKING = {"v_threshold": ONES * 0.6, "v_reset": ONES * 0.2}
TAUS = {"tau_mem": ONES * 1e-3, "tau_syn": ONES * 2e-4, "w_in": ONES * 1.5}
EVERY_NEURON = {
    "LIF": lambda: nir.LIF(tau=ONES * 1e-3, **MEMBRANE, **SPIKING),
    "LI": lambda: nir.LI(tau=ONES * 1e-3, **MEMBRANE),
    "CubaLIF": lambda: nir.CubaLIF(**TAUS, **MEMBRANE, **SPIKING),
    "CubaLI": lambda: nir.CubaLI(**TAUS, **MEMBRANE),
    "IF": lambda: nir.IF(r=ONES * 3000, **SPIKING),
    "I": lambda: nir.I(r=ONES * 3000),
    "Threshold": lambda: nir.Threshold(threshold=ONES * 0.6),
}


@pytest.mark.parametrize("kind", EVERY_NEURON)
def test_every_neuron_node_runs_by_nirs_own_equation(tmp_path, kind):
    graph = graph_of((3,), ("fc", dense(4, 3)), ("neuron", EVERY_NEURON[kind]()))
    x = torch.rand(40, 6, 3, dtype=torch.float64)
    expected = euler(kind, x @ torch.from_numpy(graph.nodes["fc"].weight).double().T)
    model = load_any(write(graph, tmp_path / "g.nir"), time_steps=40)
    found = Simulation(model.graph, torch.float64)(x).output.detach()
    assert 0 < (expected > 0).double().mean() < 1
    if model.read_out == "count":
        assert torch.equal(found, expected)
    else:
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_delays_shift_spikes_by_whole_steps(tmp_path):
    graph = graph_of((3,), ("late", nir.Delay(np.full(3, 3e-4))), ("fc", dense(4, 3)), ("lif", lif(4)))
    model = load_any(write(graph, tmp_path / "g.nir"), time_steps=10)
    prompt = graph_of((3,), ("fc", dense(4, 3)), ("lif", lif(4)))
    x = 2 * torch.rand(10, 5, 3, dtype=torch.float64)
    found = Simulation(model.graph, torch.float64)(x).output
    write_nir(model, tmp_path / "again.nir")
    assert torch.equal(Simulation(nir.read(tmp_path / "again.nir"), torch.float64)(x).output, found)
    shifted = torch.cat([torch.zeros(3, 5, 3), x[:-3]]).double()
    assert found.sum() > 0
    assert torch.equal(found, Simulation(prompt, torch.float64)(shifted).output)


@pytest.mark.parametrize("steps", [1, 3])
def test_a_delay_in_a_cycle_is_the_only_lateness_of_it(steps):
    weight, recurrent = dense(4, 3), dense(4, 4, 1)
    graph = graph_of(
        (3,), ("fc", weight), ("lif", lif(4)), extra_edges=[("lif", "late"), ("late", "rec"), ("rec", "lif")]
    )
    graph.nodes |= {"late": nir.Delay(np.full(4, steps * 1e-4)), "rec": recurrent}
    assert Network(graph).feedback == frozenset()
    x = torch.rand(20, 5, 3, dtype=torch.float64)
    found = Simulation(graph, torch.float64)(x).output
    v, spikes = torch.zeros(5, 4).double(), []
    for t in range(20):
        current = x[t] @ torch.from_numpy(weight.weight).double().T
        if t >= steps:
            current = current + spikes[t - steps] @ torch.from_numpy(recurrent.weight).double().T
        v = 0.5 * v + current
        spikes.append((v > 1).double())
        v = torch.where(v > 1, 0, v)
    assert found.sum() > 0
    assert torch.equal(found, torch.stack(spikes))


def test_scales_and_convolutions_in_one_dimension_are_read(tmp_path):
    rng = np.random.default_rng(0)
    weight = rng.normal(0.3, 0.5, (4, 2, 3))
    convolution = nir.Conv1d(9, weight, 2, 1, 1, 1, rng.normal(0, 0.1, 4))
    scale = nir.Scale(rng.uniform(0.5, 2, (2, 9)))
    graph = graph_of((2, 9), ("scale", scale), ("conv", convolution), ("lif", lif((4, 5))))
    model = load_any(write(graph, tmp_path / "g.nir"), time_steps=6)
    x = torch.rand(6, 5, 2, 9, dtype=torch.float64)
    v, found = torch.zeros(5, 4, 5).double(), Simulation(model.graph, torch.float64)(x).output
    for t in range(6):
        scaled = x[t] * torch.from_numpy(scale.scale)
        v = 0.5 * v + functional.conv1d(scaled, torch.from_numpy(weight), torch.from_numpy(convolution.bias), 2, 1)
        assert torch.equal(found[t], (v > 1).double())
        v = torch.where(v > 1, 0, v)
    assert found.sum() > 0


class TestRealNetworks:
    pytestmark = needs_cases

    @pytest.mark.parametrize(
        ("name", "dt_s", "rate"),
        [("cnn_sinabs", 1.0, 0.1), ("braille_noDelay_bias_zero", None, 0.3), ("lif_norse", None, 0.5)],
    )
    def test_it_is_written_back_with_equal_spikes_and_plain_nir_reads_it(self, tmp_path, name, dt_s, rate):
        model = load_any(CASES / f"{name}.nir", time_steps=60, dt_s=dt_s)
        write_nir(model, tmp_path / "again.nir")
        nir.read(tmp_path / "again.nir")
        again = load_any(tmp_path / "again.nir")
        torch.manual_seed(0)
        x = (torch.rand(60, 2, *model.network.input_shape) < rate).double()
        expected = Simulation(model.graph, torch.float64)(x)
        found = Simulation(again.graph, torch.float64)(x)
        assert expected.output.sum() > 0
        assert all(torch.equal(expected.outputs[layer], found.outputs[layer]) for layer in expected.outputs)

    def test_the_braille_network_does_what_its_equations_say(self):
        model = load_any(CASES / "braille_noDelay_bias_zero.nir", time_steps=100)
        nodes = nir.read(CASES / "braille_noDelay_bias_zero.nir", type_check=False).nodes
        torch.manual_seed(1)
        x = (torch.rand(100, 3, 12) < 0.3).double()
        found = Simulation(model.graph, torch.float64)(x)

        def affine(node, value):
            return value @ torch.from_numpy(node.weight).double().T + torch.from_numpy(node.bias).double()

        def cuba_step(node, state, current):
            i, v = state
            i = i + 1e-4 / torch.from_numpy(node.tau_syn) * (torch.from_numpy(node.w_in) * current - i)
            v = v + 1e-4 / torch.from_numpy(node.tau_mem) * (torch.from_numpy(node.r) * i - v)
            spikes = (v > torch.from_numpy(node.v_threshold)).double()
            return spikes, (i, v * (1 - spikes))

        hidden, state1 = torch.zeros(3, 38).double(), (torch.zeros(3, 38).double(),) * 2
        state2 = (torch.zeros(3, 7).double(),) * 2
        for t in range(100):
            current = affine(nodes["fc1"], x[t]) + affine(nodes["lif1.w_rec"], hidden)
            hidden, state1 = cuba_step(nodes["lif1.lif"], state1, current)
            out, state2 = cuba_step(nodes["lif2"], state2, affine(nodes["fc2"], hidden))
            assert torch.equal(found.outputs["lif1.lif"][t], hidden)
            assert torch.equal(found.output[t], out)
        assert found.output.sum() > 0

    def test_an_integrator_that_hardly_integrates_is_pointed_out(self):
        model = load_any(CASES / "cnn_sinabs.nir", time_steps=2)
        assert any("graphs from sinabs are meant for `dt_s=1`" in notice for notice in model.notices)


ENDS = {
    "a batch of one": ((1, 3), (1, 4)),
    "a batch and time": ((2, 30, 3), (2, 30, 4)),
}


@pytest.mark.parametrize("scalar", [True, False])
@pytest.mark.parametrize("case", ENDS)
def test_axes_of_the_batch_that_exporters_write_into_shapes_are_left_out_and_told(case, scalar):
    """As nirtorch takes them from the tensor that norse's, sinabs' and rockpool's networks are traced with."""
    given, ends = ENDS[case]
    plain = graph_of((3,), ("fc", dense(4, 3)), ("lif", lif(4)))
    graph = graph_of(given, ("fc", dense(4, 3)), ("lif", lif(() if scalar else 4)), output_shape=ends)
    model = from_nir(graph, time_steps=30)
    assert model.network.input_shape == (3,)
    assert model.classes == 4
    shape = " x ".join(map(str, given))
    assert f"input: its shape {shape} begins with axes of a batch or of time: 3 is taken" in model.notices
    x = 2 * torch.rand(30, 5, 3, dtype=torch.float64)
    expected = Simulation(plain, torch.float64)(x).output
    assert expected.sum() > 0
    assert torch.equal(Simulation(model.graph, torch.float64)(x).output, expected)


def test_maps_lose_the_batch_alone_and_weights_on_the_last_of_several_axes_keep_all():
    convolution = nir.Conv2d(None, np.ones((3, 2, 3, 3)), 1, 0, 1, 1, np.zeros(3))
    maps = graph_of((1, 2, 5, 5), ("conv", convolution), ("lif", lif(())), output_shape=(1, 3, 3, 3))
    assert from_nir(maps, time_steps=2).network.shapes["lif"] == (3, 3, 3)
    rows = graph_of((2, 3), ("fc", dense(4, 3)), ("lif", lif((2, 4))))
    model = from_nir(rows, time_steps=2)
    assert (model.network.input_shape, model.classes) == ((2, 3), 8)
    assert not any("batch" in notice for notice in model.notices)
