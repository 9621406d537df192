"""Energy and time against SANA-FE's simulation of Loihi: same cores, same spikes.

SANA-FE (Boyle et al., IEEE TCAD 44(8), 2025) is an independent implementation of the same prices.
"""

from pathlib import Path

import nir
import numpy as np
import pytest
import torch

from spear_deploy.hardware import load_profile, place
from spear_deploy.hardware.cost.activity import Activity
from spear_deploy.hardware.cost.estimate import estimate
from spear_deploy.measure.events import Events
from spear_deploy.measure.record import Recorder
from spear_deploy.network import synapse_matrix

sanafe = pytest.importorskip("sanafe", reason="SANA-FE is not installed (pip install sanafe)")

STEPS = 40
rng = np.random.default_rng(11)


def dense(outputs, inputs, present=1.0):
    return nir.Linear(rng.uniform(0.05, 1.0, (outputs, inputs)) * (rng.random((outputs, inputs)) < present))


def conv(outputs, inputs, stride=1, padding=0):
    return nir.Conv2d(
        None, rng.uniform(0.05, 1.0, (outputs, inputs, 3, 3)), stride, padding, 1, 1, bias=np.zeros(outputs)
    )


def flatten(*shape):
    return nir.Flatten({"input": np.array(shape)}, 0, -1)


# shape, nodes, loops, neurons a core may hold, share of neurons of the first layer that fire
NETWORKS = {
    "two dense layers": ((60,), ["lif", dense(40, 60), "lif"], [], 64, 0.5),
    "dense over many cores": ((200,), ["lif", dense(150, 200), "lif", dense(40, 150), "lif"], [], 25, 0.3),
    "sparse weights": ((120,), ["lif", dense(100, 120, 0.1), "lif", dense(30, 100, 0.3), "lif"], [], 40, 0.4),
    "convolutions": (
        (2, 12, 12),
        ["lif", conv(4, 2, padding=1), "lif", conv(6, 4, stride=2), "lif", flatten(6, 5, 5), dense(10, 150), "lif"],
        [],
        100,
        0.2,
    ),
    "recurrent": ((50,), ["lif", dense(60, 50), "lif", dense(20, 60), "lif"], [("n2", dense(60, 60, 0.2))], 30, 0.3),
    "quiet": ((80,), ["lif", dense(80, 80, 0.05), "lif", dense(60, 80, 0.05), "lif"], [], 40, 0.05),
    "whole chip": ((400,), ["lif", dense(300, 400, 0.2), "lif", dense(300, 300, 0.2), "lif"], [], 9, 0.2),
}


CHANGING = [
    (name, steps)
    for name in ("two dense layers", "dense over many cores", "convolutions", "recurrent")
    for steps in (4, 40)
]


@pytest.fixture(scope="module", params=NETWORKS)
def both(request, build, tmp_path_factory):
    """Our estimate and SANA-FE's simulation of one network under constant input."""
    return _both(*NETWORKS[request.param], STEPS, tmp_path_factory, changing=False)(build)


@pytest.fixture(scope="module", params=CHANGING, ids=str)
def changing(request, build, tmp_path_factory):
    """The same under input that changes in every step."""
    name, steps = request.param
    return _both(*NETWORKS[name], steps, tmp_path_factory, changing=True)(build)


def _both(shape, nodes, loops, neurons, firing, steps, folders, *, changing):
    def make(build):
        network = build(shape, *nodes, loops=loops)
        placement = place(network, _with_small_cores(folders.mktemp("chip"), neurons))
        silent = {name: np.zeros(network.shapes[name]) for name in (network.input, *network.layers)}
        # the map follows the traffic, which is not known before the simulation: any map serves, if both use it
        guess = {name: np.ones_like(spikes) for name, spikes in silent.items()} | {network.input: silent[network.input]}
        core_map = estimate(network, placement, Activity(guess, steps, analog_input=False)).core_map
        result = _simulate(network, placement, core_map, firing, steps, changing=changing)
        fired = {name: np.zeros((steps, 1, *spikes.shape), dtype=bool) for name, spikes in silent.items()}
        for step, addresses in enumerate(result["spike_trace"]):
            for address in addresses:
                layer, number = str(address).split(".")
                fired[layer][step, 0].flat[int(number)] = True
        recorder = Recorder(network)
        recorder.add({name: Events.of(torch.from_numpy(each)) for name, each in fired.items()})
        spikes = {name: each.sum((0, 1)).astype(float) for name, each in fired.items()}
        activity = Activity(
            spikes, steps, analog_input=False, updates=_updates(network, result, steps), record=recorder.record()
        )
        return estimate(network, placement, activity, chip_steps=True, core_map=core_map), result

    return make


def _with_small_cores(folder: Path, neurons):
    path = folder / "chip.toml"
    path.write_text(
        'name = "small"\ntitle = "Loihi 1 with small cores"\ninherits = "loihi1-nahuku"\n'
        f'[core.neurons]\nvalue = {neurons}\nunit = "neurons"\nstatus = "estimated"\nsource = "made up for a test"'
    )
    return load_profile(path)


def _simulate(network, placement, core_map, firing, steps, *, changing):
    rng = np.random.default_rng(7)
    arch = sanafe.load_arch(str(Path(sanafe.__file__).parent / "examples" / "loihi.yaml"))
    net = sanafe.Network()
    groups = {}
    for index, layer in enumerate(network.layers):
        count = int(np.prod(network.shapes[layer]))
        hardware = {
            "soma_hw_name": "loihi_lif",
            "default_synapse_hw_name": "loihi_dense_synapse",
            "default_dendrite_hw_name": "loihi_dendrites",
        }
        groups[layer] = group = net.create_neuron_group(
            layer, count, {"threshold": 1.0, "reset": 0.0, "leak_decay": 0.0}, log_spikes=True, **hardware
        )
        if index == 0:
            drive = np.where(rng.random(count) < firing, rng.uniform(0.3, 1.5, count), 0.01)
            for neuron, bias in zip(group, drive, strict=True):
                neuron.set_attributes(model_attributes={"bias": float(bias), "leak_decay": 0.9})
    for connection in network.connections:
        if connection.source != network.input:
            matrix = synapse_matrix(network, connection).tocoo()
            pairs = [(int(a), int(b)) for a, b in zip(matrix.col, matrix.row, strict=True)]
            weights = {"weight": [float(value) * 0.2 for value in matrix.data]}
            groups[connection.source].connect_neurons_sparse(groups[connection.target], weights, pairs)
    slots: dict[tuple[int, int], int] = {}
    for core, (x, y) in zip(placement.cores, core_map.place, strict=True):
        tile = (int(x), int(y))
        slot = slots[tile] = slots.get(tile, -1) + 1
        hardware_core = arch.tiles[tile[0] * 4 + tile[1]].cores[slot]
        numbers = np.arange(int(np.prod(network.shapes[core.layer]))).reshape(_volume(network, core.layer))
        for number in numbers[core.tile.slices].ravel():
            groups[core.layer][int(number)].map_to_core(hardware_core)
    chip = sanafe.SpikingChip(arch)
    chip.load(net)
    if not changing:
        return chip.sim(steps, spike_trace=True)
    # another share of the first layer is driven in every step, from none to twice as many
    total: dict = {}
    for share in rng.uniform(0, 2 * firing, steps):
        for neuron in chip.mapped_neuron_groups[network.layers[0]]:
            bias = 2.0 if rng.random() < share else 0.0
            neuron.set_attributes(model_attributes={"bias": bias, "leak_decay": 0.0})
        step = chip.sim(1, spike_trace=True)
        for key, value in step.items():
            if isinstance(value, dict):
                held = total.setdefault(key, {})
                for part, energy in value.items():
                    held[part] = held.get(part, 0.0) + energy
            elif value is not None:
                total[key] = total[key] + value if key in total else value
    return total


def _volume(network, layer):
    shape = network.shapes[layer]
    return shape if len(shape) == 3 else (shape[0], 1, 1)


def _updates(network, result, steps):
    """Active updates as SANA-FE counts them: the first layer always (a bias), the others together the rest."""
    first, *others = network.layers
    sizes = {layer: int(np.prod(network.shapes[layer])) for layer in network.layers}
    rest = result["neurons_updated"] - sizes[first] * steps
    total = sum(sizes[layer] for layer in others)
    return {first: sizes[first] * steps} | {layer: rest * sizes[layer] / total for layer in others}


def energy_pj(cost, *names):
    return sum(part.energy_pj.typical for part in cost.parts if part.name in names)


def test_the_networks_are_busy(both):
    cost, result = both
    assert result["neurons_fired"] > 0
    assert cost.synops == result["spikes"]
    assert cost.traffic.messages.sum() == result["packets_sent"]


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("synapse", ["synapses"]), ("soma", ["neuron updates", "spikes"]), ("network", ["messages", "hops"])],
)
def test_each_part_of_the_energy_is_that_of_sanafe(both, theirs, ours):
    cost, result = both
    assert energy_pj(cost, *ours) == pytest.approx(result["energy"][theirs] * 1e12, rel=0.05)


def test_the_energy_is_that_of_sanafe(both):
    cost, result = both
    assert cost.energy_pj.typical == pytest.approx(result["energy"]["total"] * 1e12, rel=0.05)


def test_the_time_of_a_step_is_that_of_sanafe(both):
    cost, result = both
    assert cost.time_ns.typical == pytest.approx(result["sim_time"] * 1e9, rel=0.10)


def test_the_time_under_input_that_changes_in_every_step_is_that_of_sanafe(changing):
    cost, result = changing
    assert cost.time_ns.typical == pytest.approx(result["sim_time"] * 1e9, rel=0.10)
    assert cost.energy_pj.typical == pytest.approx(result["energy"]["total"] * 1e12, rel=0.05)
