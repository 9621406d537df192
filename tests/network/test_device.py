"""Computing on a device: it is found by name, every tensor is made there, and it computes what the CPU does."""

import ast
from pathlib import Path

import pytest
import torch
from made_networks import ALL, plain, recurrent, residual

from spear_deploy.data import EncodedSplit, SplitName
from spear_deploy.errors import DeviceError
from spear_deploy.measure import SynopsCounter
from spear_deploy.network import Simulation
from spear_deploy.network.device import as_float64, describe, device_named, known_devices
from spear_deploy.training import loss

PACKAGE = Path(__file__).parents[2] / "spear_deploy"
ROOMS = [
    *(PACKAGE / "network" / f"{name}.py" for name in ("simulation", "neuron_layer", "recurrence", "surrogate")),
    *(PACKAGE / "measure").glob("*.py"),
    *(PACKAGE / "training").glob("*.py"),
    PACKAGE / "search" / "candidate.py",
    *(PACKAGE / "backends" / "fixed_point" / f"{name}.py" for name in ("loihi", "loihi_steps", "products", "peaks")),
]
MAKERS = ("zeros", "ones", "empty", "full", "arange", "eye", "tensor", "as_tensor", "from_numpy", "rand", "randn")


def placed_by(call, parents):
    """Whether a call that makes a tensor says where: by its own argument, or by what is done with it at once."""
    if any(keyword.arg == "device" for keyword in call.keywords):
        return True
    node = call
    while node in parents:
        node = parents[node]
        if isinstance(node, ast.Attribute) and node.attr == "to":
            return True
        if isinstance(node, ast.stmt):
            return False
    return False


def from_the_cpu(call):
    """Whether the tensor that becomes an array was brought to the CPU in the same expression."""
    return any(isinstance(node, ast.Attribute) and node.attr == "cpu" for node in ast.walk(call.func.value))


def calls_without_a_place(path):
    tree = ast.parse(path.read_text())
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            continue
        of_torch = isinstance(call.func.value, ast.Name) and call.func.value.id == "torch"
        if of_torch and call.func.attr in MAKERS and not placed_by(call, parents):
            yield f"{path.name}:{call.lineno} torch.{call.func.attr}"
        if call.func.attr == "numpy" and not from_the_cpu(call):
            yield f"{path.name}:{call.lineno} .numpy()"


def test_every_tensor_is_made_on_a_device_that_is_named_and_leaves_it_by_way_of_the_cpu():
    assert [found for path in ROOMS for found in calls_without_a_place(path)] == []


def test_an_unknown_device_is_answered_with_those_that_are_there():
    with pytest.raises(DeviceError, match=r"no device called 'cuda:99' here; there are: cpu"):
        device_named("cuda:99")


def test_the_cpu_is_always_there():
    assert known_devices()[0] == "cpu"
    assert describe(device_named("cpu")) == "cpu"


@pytest.mark.parametrize("name", sorted(ALL))
def test_a_simulation_makes_every_tensor_where_its_input_is(name):
    model = ALL[name]().model()
    inputs = torch.empty((model.time_steps, 2, *model.network.input_shape), device="meta")
    watched = []
    trace = Simulation(model.graph).to("meta")(inputs, watch=lambda layer, u, v: watched.extend([u, v]))
    assert {each.device.type for each in [*trace.outputs.values(), *watched]} == {"meta"}


@pytest.mark.parametrize("network", [plain, recurrent, residual])
def test_a_training_step_makes_every_tensor_where_its_input_is(network):
    model = network().model()
    simulation = Simulation(model.graph).to("meta")
    inputs = torch.empty((model.time_steps, 2, *model.network.input_shape), device="meta")
    optimizer = torch.optim.Adam(simulation.parameters())
    trace = simulation(inputs)
    total = loss(trace.output, torch.empty((2, 4)), model.read_out)
    synops = SynopsCounter(model.network).expected(inputs, trace.outputs, analog_input=False)
    total = total + (synops / 100 - 1).square()
    total.backward()
    optimizer.step()
    assert total.device.type == "meta"
    assert {each.grad.device.type for each in simulation.parameters()} == {"meta"}


@pytest.mark.parametrize("name", sorted(ALL))
def test_operations_are_counted_where_the_spikes_are(name):
    model = ALL[name]().model()
    inputs = torch.empty((model.time_steps, 2, *model.network.input_shape), device="meta")
    outputs = Simulation(model.graph).to("meta")(inputs).outputs
    found = SynopsCounter(model.network).count(inputs, outputs, analog_input=True)
    assert {each.device.type for each in (found.total, found.peak_step, found.analog)} == {"meta"}


def test_samples_are_kept_on_the_cpu_and_run_on_their_device():
    kept = torch.zeros((3, 4, 2), dtype=torch.uint8)
    split = EncodedSplit(SplitName.TRAIN, kept, torch.arange(4), analog=False).on(torch.device("meta"))
    assert split.take(torch.tensor([1, 2])).inputs.device.type == "meta"
    assert split.stored.device.type == split.labels.device.type == split.as_float64().device.type == "cpu"
    assert split.inputs.dtype is torch.float32


def test_float64_is_kept_where_there_is_some():
    assert as_float64(torch.empty(2, device="meta")).device.type == "meta"
