"""docs/nir-metadata.md alone says enough to get the same spikes: its words in numpy, beside our simulation."""

from functools import cache

import nir
import numpy as np
import pytest
import torch

from spear_deploy.network import Encoding, Model, Neuron, ReadOut, Reset, Simulation, node_of, write_nir

STEPS, BATCH, WIDTH = 30, 6, 5
SPIKING = [(reset, delay) for reset in Reset for delay in (0, 1)]


def by_the_words(graph, x, late=frozenset()):
    """What each node sends, by name and step; `late` are the edges that carry what was sent in the step before."""
    sources = {name: sorted(a for a, b in graph.edges if b == name) for name in graph.nodes}
    nothing = np.zeros((BATCH, WIDTH))

    def received(name, t):
        if t < 0:
            return nothing
        return sum((sent(source, t - ((source, name) in late)) for source in sources[name]), nothing)

    @cache
    def sent(name, t):
        node = graph.nodes[name]
        if t < 0:
            return nothing
        if isinstance(node, nir.Input):
            return x[t]
        if isinstance(node, nir.Delay):
            return received(name, t - round(float(node.delay[0]) / 1e-4))
        if isinstance(node, nir.Linear | nir.Affine):
            return received(name, t) @ node.weight.T + getattr(node, "bias", 0)
        return received(name, t) if isinstance(node, nir.Output) else stepped(name, t)[0]

    @cache
    def stepped(name, t):
        """What neurons send in a step, and their u and v at its end."""
        if t < 0:
            return None, nothing, nothing
        _, u, v = stepped(name, t - 1)
        return one_step(graph.nodes[name], received(name, t), u, v)

    return lambda name: np.stack([sent(name, t) for t in range(STEPS)])


def one_step(node, i, u, v):
    """Output, u and v of neurons that receive `i`, from u and v as the step before left them."""
    if isinstance(node, nir.Threshold):
        return i > node.threshold, u, v
    meta, dt = node.metadata, node.metadata.get("dt", 1e-4)
    reset, delayed = str(meta.get("reset", "zero")), bool(meta.get("reset_delay", 0))
    spiking = hasattr(node, "v_threshold")
    tau = getattr(node, "tau", getattr(node, "tau_mem", np.inf))
    rate = dt / tau
    if hasattr(node, "tau_syn"):
        gain = meta.get("gain", node.w_in * dt / node.tau_syn * node.r * rate)
        u = meta.get("alpha", 1 - dt / node.tau_syn) * u + gain * i
    else:
        u = meta.get("gain", node.r * (rate if hasattr(node, "tau") else dt)) * i
    late = v > node.v_threshold if spiking else False
    if reset == "zero" and delayed and spiking:
        v = np.where(late, node.v_reset, v)
    v = meta.get("beta", 1 - rate) * v + u + getattr(node, "v_leak", 0) * rate
    if not spiking:
        return v, u, v
    if reset == "subtract":
        v = v - late * node.v_threshold
    if reset == "zero_hold":
        v = np.where(late, node.v_reset, v)
    s = v > node.v_threshold
    if reset == "zero" and not delayed:
        v = np.where(s, node.v_reset, v)
    if reset == "subtract" and not delayed:
        v = v - (s.astype(float) - late) * node.v_threshold
    if reset == "subtract_once":
        v = v - s * node.v_threshold
    return s, u, v


def constants(rng, **options):
    beta, gain, threshold = rng.uniform((0.6, 0.8, 0.3), (0.95, 1.2, 0.7), (WIDTH, 3)).T
    return Neuron(**{"beta": beta, "gain": gain, "threshold": threshold} | options)


def read_back(tmp_path, nodes, edges):
    """A network in its file as plain `nir.read` has it, and ours of the same file."""
    size = {"input": np.array([WIDTH])}
    nodes = {"input": nir.Input(size), "output": nir.Output({"output": np.array([WIDTH])}), **nodes}
    read_out = ReadOut.MEMBRANE if isinstance(nodes["n"], nir.LI | nir.I | nir.CubaLI) else ReadOut.COUNT
    model = Model(nir.NIRGraph(nodes, edges), time_steps=STEPS, encoding=Encoding.SEQUENCE, read_out=read_out)
    write_nir(model, tmp_path / "net.nir")
    return nir.read(tmp_path / "net.nir"), model


def assert_equal(tmp_path, nodes, edges, layers=("n",), late=()):
    graph, model = read_back(tmp_path, nodes, edges)
    x = np.random.default_rng(7).normal(0.4, 1.5, (STEPS, BATCH, WIDTH))
    read = by_the_words(graph, x, frozenset(late))
    outputs = Simulation(model.graph, torch.float64)(torch.from_numpy(x)).outputs
    for name in layers:
        if hasattr(nodes[name], "v_threshold") or hasattr(nodes[name], "threshold"):
            assert 0.05 < outputs[name].mean() < 0.95
            np.testing.assert_array_equal(read(name), outputs[name].bool().numpy())
        else:
            np.testing.assert_allclose(read(name), outputs[name].numpy(), rtol=1e-12, atol=1e-12)


ALONE = [("input", "n"), ("n", "output")]
KINDS = {
    "LIF": {"offset": np.linspace(-0.1, 0.1, WIDTH)},
    "IF": {"beta": np.ones(WIDTH), "threshold": np.full(WIDTH, 1.3)},
    "CubaLIF": {"alpha": np.linspace(0.1, 0.6, WIDTH), "offset": np.linspace(-0.1, 0.1, WIDTH)},
}


@pytest.mark.parametrize("value", [0.0, -0.3])
@pytest.mark.parametrize(("reset", "delay"), SPIKING)
@pytest.mark.parametrize("kind", KINDS)
def test_its_equations_give_every_spike_of_every_kind_and_reset(tmp_path, kind, reset, delay, value):
    more = KINDS[kind] | {"reset": reset, "reset_delay": bool(delay), "reset_value": np.full(WIDTH, value)}
    node = node_of(constants(np.random.default_rng(1), **more))
    assert type(node).__name__ == kind
    assert_equal(tmp_path, {"n": node}, ALONE)


MEMBRANES = {"LI": KINDS["LIF"], "I": {"beta": np.ones(WIDTH)}, "CubaLI": KINDS["CubaLIF"]}


@pytest.mark.parametrize("kind", MEMBRANES)
def test_neurons_without_a_threshold_send_their_membrane(tmp_path, kind):
    of_kind = MEMBRANES[kind] | {"threshold": None, "reset": Reset.NONE}
    node = node_of(constants(np.random.default_rng(2), **of_kind))
    assert type(node).__name__ == kind
    assert_equal(tmp_path, {"n": node}, ALONE)


@pytest.mark.parametrize("kind", [*KINDS, "Threshold"])
def test_what_metadata_do_not_say_follows_from_the_node(tmp_path, kind):
    one, tau = np.ones(WIDTH), np.linspace(3e-4, 9e-4, WIDTH)
    node = {
        "LIF": nir.LIF(tau=tau, r=4 * one, v_leak=0.2 * one, v_threshold=one, v_reset=-0.1 * one),
        "IF": nir.IF(r=1e4 * one, v_threshold=one, v_reset=-0.1 * one),
        "CubaLIF": nir.CubaLIF(tau_mem=tau, tau_syn=2 * tau, r=6 * one, v_leak=one, v_threshold=one, w_in=3 * one),
        "Threshold": nir.Threshold(0.5 * one),
    }[kind]
    assert_equal(tmp_path, {"n": node}, ALONE)


def looped(rng):
    """Two layers, an Affine each way, and Delays of two steps."""
    more = {"reset": Reset.SUBTRACT, "reset_delay": True}
    nodes = {name: node_of(constants(rng, **more)) for name in ("n", "m")}
    for name in ("there", "back", "own"):
        nodes[name] = nir.Affine(rng.normal(0, 0.4, (WIDTH, WIDTH)), rng.normal(0.3, 0.3, WIDTH))
    return nodes | {"delay": nir.Delay(np.full(WIDTH, 2e-4))}


LOOPS = {
    "one layer": (["n own", "own n", "n output"], ["n own"]),
    "two layers": (["n there", "there m", "m back", "back n", "m output"], ["m back"]),
    "both": (["n own", "own n", "n there", "there m", "m back", "back n", "m output"], ["n own", "m back"]),
    "a Delay behind the matrix": (["n own", "own delay", "delay n", "n output"], []),
    "a Delay before the matrix": (["n delay", "delay own", "own n", "n output"], []),
}


@pytest.mark.parametrize("loop", LOOPS)
def test_a_cycle_hears_the_step_before_and_its_bias_from_the_first_step_on(tmp_path, loop):
    ways, late = ([tuple(way.split()) for way in each] for each in LOOPS[loop])
    nodes = {name: node for name, node in looped(np.random.default_rng(3)).items() if any(name in way for way in ways)}
    layers = [name for name in ("n", "m") if name in nodes]
    assert_equal(tmp_path, nodes, [("input", "n"), *ways], layers, late)
