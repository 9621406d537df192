"""snnTorch networks as they are really shared: a state_dict."""

import textwrap

import pytest
import snntorch
import torch
from network_builders import heaviside, leaky, run_by_snntorch
from torch import nn

from spear_deploy.errors import ModelError
from spear_deploy.network import Simulation, load_any, save_model, write_nir

T = 12


class Dense(nn.Module):
    """What a user trains: named layers, an explicit loop."""

    def __init__(self, reset="subtract"):
        super().__init__()
        self.fc1 = nn.Linear(6, 8)
        self.lif1 = snntorch.Leaky(beta=torch.rand(8), threshold=0.4, learn_beta=True, reset_mechanism=reset)
        self.fc2 = nn.Linear(8, 3, bias=False)
        self.lif2 = snntorch.Synaptic(alpha=0.6, beta=0.8, threshold=0.3, learn_threshold=True, reset_mechanism=reset)

    def forward(self, x, mem1=None, syn2=None, mem2=None):
        spk1, mem1 = self.lif1(self.fc1(x), mem1)
        spk2, syn2, mem2 = self.lif2(self.fc2(spk1), syn2, mem2)
        return spk2, mem1, syn2, mem2


def reference(net, x):
    net = net.double()
    net.lif1.spike_grad = net.lif2.spike_grad = heaviside
    states, found = (), []
    with torch.no_grad():
        for step in x:
            out, *states = net(step, *states)
            found.append(out)
    return torch.stack(found)


def make_dense():
    torch.manual_seed(3)
    return Dense()


TOML = """
    time_steps = 12
    input_shape = [6]
    [[layer]]
    name = "fc1"
    kind = "Linear"
    [[layer]]
    name = "lif1"
    kind = "Leaky"
    [[layer]]
    name = "fc2"
    kind = "Linear"
    [[layer]]
    name = "lif2"
    kind = "Synaptic"
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working folder with a module that builds the network, and a description of it."""
    (tmp_path / "my_networks.py").write_text("from test_checkpoint import make_dense\n")
    (tmp_path / "net.toml").write_text(textwrap.dedent(TOML))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("arch", [None, "my_networks:make_dense", "net.toml"])
@pytest.mark.parametrize("reset", ["subtract", "zero"])
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_checkpoint_gives_the_spikes_of_the_network_it_was_saved_from(here, arch, reset, wrapped):
    torch.manual_seed(4)
    net = Dense(reset)
    state = net.state_dict()
    if wrapped:
        state = {"state_dict": {f"model.{key}": value for key, value in state.items()}, "epoch": torch.tensor(3)}
    torch.save(state, here / "net.pth")
    x = 2 * torch.rand(T, 20, 6, dtype=torch.float64)
    if reset == "zero" and arch == "my_networks:make_dense":
        with pytest.raises(ModelError, match="lif1: it was built with reset subtract and later set to"):
            load_any("net.pth", arch=arch, input_shape=(6,), time_steps=T)
        return
    model = load_any("net.pth", arch=arch, input_shape=(6,), time_steps=T)
    expected = reference(net, x)
    assert 0 < expected.mean() < 1
    assert torch.equal(Simulation(model.graph, torch.float64)(x).output, expected)
    assert any("reset_delay" in notice for notice in model.notices) is (arch is None)


def test_three_ways_of_saving_the_same_network_give_the_same_spikes(here):
    net = make_dense()
    model = save_model(net, "net.pt", input_shape=(6,), time_steps=T)
    torch.save(net.state_dict(), "net.pth")
    write_nir(model, "net.nir")
    x = 2 * torch.rand(T, 20, 6)
    ways = [load_any("net.pt"), load_any("net.pth", arch="net.toml"), load_any("net.nir")]
    spikes = [Simulation(way.graph)(x).output for way in ways]
    assert spikes[0].sum() > 0
    assert torch.equal(spikes[0], spikes[1])
    assert torch.equal(spikes[0], spikes[2])


@pytest.mark.parametrize(
    ("given", "named"),
    [
        *((f"time_steps = {each}", "time_steps") for each in ("nan", "inf", "true", "0", "-1", "4.5", "{}", '"4"')),
        *((f"input_shape = {each}", "input_shape") for each in ("6", "[]", "[0]", "[6.5]", '["6"]', "[{}]", "[true]")),
        ("dt_s = nan", "dt_s"),
        ("encoding = 1", "encoding"),
        ("time_steps = 2000000000", "more than 2,147,483,648 input values an inference"),
    ],
)
def test_a_use_that_no_network_can_have_is_refused_by_name(here, given, named):
    torch.save(make_dense().state_dict(), "net.pth")
    key = given.partition(" ")[0]
    lines = [line for line in textwrap.dedent(TOML).splitlines() if not line.startswith(key)]
    (here / "net.toml").write_text("\n".join([given, *lines]))
    with pytest.raises(ModelError, match=f"net.toml: .*{named}") as told:
        load_any("net.pth", arch="net.toml")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (None, "regression:scale=6"),
        ("reconstruction", "reconstruction:scale=6"),
        ("regression:scale=1", "regression"),
        ("classification", "classification"),
    ],
)
def test_the_scale_of_an_architecture_stays_unless_another_is_asked_for(here, asked, told):
    torch.save(make_dense().state_dict(), "net.pth")
    (here / "net.toml").write_text('objective = "regression:scale=6"\n' + textwrap.dedent(TOML))
    assert load_any("net.pth", arch="net.toml", objective=asked).objective == told
    other = load_any("net.pth", arch="net.toml", objective=asked, time_steps=2 * T)
    doubts = [each for each in other.notices if "the file's scale of 6 stays" in each]
    assert len(doubts) == (told.endswith(":scale=6"))
    assert all(f"of a sum over time it is `objective='{other.objective.kind}:scale=12'`" in each for each in doubts)


@pytest.mark.parametrize("number", [3, -1, 255])
def test_a_reset_that_snntorch_does_not_number_is_refused_with_those_that_it_does(here, number):
    state = make_dense().state_dict()
    state["lif1.reset_mechanism_val"] = torch.tensor(number)
    torch.save(state, "net.pth")
    with pytest.raises(ModelError, match=rf"net\.pth: .*reset_mechanism_val must be one of 0, 1, 2, found {number}"):
        load_any("net.pth", arch="net.toml")


CONVOLUTIONAL = """
    time_steps = 6
    input_shape = [2, 10, 10]
    encoding = "rate"
    [[layer]]
    name = "features.0"
    kind = "Conv2d"
    stride = [2, 1]
    padding = 1
    groups = 2
    [[layer]]
    name = "features.1"
    kind = "BatchNorm2d"
    [[layer]]
    name = "features.2"
    kind = "RLeaky"
    reset_delay = false
    [[layer]]
    kind = "MaxPool2d"
    kernel_size = 2
    [[layer]]
    kind = "Flatten"
    [[layer]]
    name = "head"
    kind = "Linear"
    [[layer]]
    name = "out"
    kind = "Lapicque"
"""


class Convolutional(nn.Module):
    def __init__(self):
        super().__init__()
        recurrent = snntorch.RLeaky(
            0.7,
            conv2d_channels=4,
            kernel_size=3,
            threshold=0.5,
            init_hidden=True,
            reset_delay=False,
            spike_grad=heaviside,
        )
        self.features = nn.Sequential(
            nn.Conv2d(2, 4, 3, stride=(2, 1), padding=1, groups=2), nn.BatchNorm2d(4), recurrent, nn.MaxPool2d(2)
        )
        self.head = nn.Linear(4 * 2 * 5, 5)
        self.out = snntorch.Lapicque(R=2.0, C=3.0, threshold=0.2, init_hidden=True, spike_grad=heaviside)

    def forward(self, x):
        return self.out(self.head(self.features(x).flatten(1)))


def test_a_convolutional_checkpoint_is_described_in_toml(here):
    torch.manual_seed(5)
    net = Convolutional()
    net.features[1].running_mean.normal_(0, 0.1)
    torch.save(net.state_dict(), "net.pth")
    (here / "conv.toml").write_text(textwrap.dedent(CONVOLUTIONAL))
    model = load_any("net.pth", arch="conv.toml")
    x = (torch.rand(6, 10, 2, 10, 10) < 0.5).double()
    expected = run_by_snntorch(net, x)
    assert 0 < expected.mean() < 1
    assert torch.equal(Simulation(model.graph, torch.float64)(x).output, expected)
    with pytest.raises(ModelError, match=r"features\.0: its weight has 4 axes; stride, .*: give `arch`"):
        load_any("net.pth", time_steps=6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.int8])
def test_narrow_checkpoints_are_widened_exactly_with_a_notice(here, dtype):
    torch.manual_seed(6)
    net = nn.Sequential(nn.Linear(6, 8), leaky(threshold=0.25), nn.Linear(8, 3), leaky(threshold=0.25))
    for parameter in net.parameters():
        parameter.data = (parameter.data * 8).round() if dtype is torch.int8 else parameter.data
    weights = net.state_dict()
    for key, value in weights.items():
        weights[key] = value.to(dtype) if value.is_floating_point() and value.dim() else value
    torch.save(weights, "narrow.pth")
    model = load_any("narrow.pth", time_steps=T)
    name = str(dtype).removeprefix("torch.")
    assert any(f"0.weight: {name} widened exactly to float32" in notice for notice in model.notices)
    net.load_state_dict({key: value.float() for key, value in weights.items()})
    x = 4 * torch.rand(T, 10, 6, dtype=torch.float64)
    expected = run_by_snntorch(net, x)
    assert expected.sum() > 0
    assert torch.equal(Simulation(model.graph, torch.float64)(x).output, expected)


def test_tensors_that_were_saved_on_cuda_load_on_the_cpu(here, monkeypatch):
    """No GPU here: the storage's location in the file is written as CUDA's is."""
    import torch.serialization as serialization

    monkeypatch.setattr(serialization, "location_tag", lambda storage: "cuda:0")
    torch.save(make_dense().state_dict(), "cuda.pth")
    monkeypatch.undo()
    monkeypatch.chdir(here)
    assert load_any("cuda.pth", time_steps=3).network.layers == ["lif1", "lif2"]


@pytest.mark.parametrize(
    ("arch", "options", "message"),
    [
        (None, {}, "a checkpoint does not say its time steps: give `time_steps`"),
        ("my_networks:make_dense", {"time_steps": 3}, "does not say its input shape: give `input_shape`"),
        ("my_networks", {}, "`arch` my_networks: needed package.module:factory or a .toml file"),
        ("my_networks:nothing", {}, "`arch` my_networks:nothing: AttributeError"),
        ("nowhere:net", {}, "`arch` nowhere:net: ModuleNotFoundError"),
        ("builtins:dict", {}, "needed a torch module, it gave dict"),
        ("torch.nn:Identity", {}, "the checkpoint does not fit: no fc1.weight in the network"),
        ("missing.toml", {}, "missing.toml: cannot be read"),
    ],
)
def test_what_is_missing_for_a_checkpoint_is_said(here, arch, options, message):
    torch.save(make_dense().state_dict(), "net.pth")
    with pytest.raises(ModelError, match=message.replace(".", r"\.")):
        load_any("net.pth", arch=arch, **options)


@pytest.mark.parametrize(
    ("find", "replace", "message"),
    [
        ('kind = "Synaptic"', 'kind = "Alpha"', "layer 'lif2': kind 'Alpha' is not known; known: .*Leaky"),
        ('name = "fc2"', 'name = "fc9"', "layer 'fc9': the checkpoint holds no weight of that name"),
        ('kind = "Leaky"', 'kind = "Leaky"\n    beeta = 1', r"layer 'lif1' \(Leaky\): TypeError"),
        ("time_steps = 12", "timesteps = 12", "unknown timesteps; known: input_shape, time_steps"),
        ("time_steps = 12", "time_steps = ", "not a TOML file"),
    ],
)
def test_a_description_that_is_wrong_is_refused_by_line(here, find, replace, message):
    torch.save(make_dense().state_dict(), "net.pth")
    (here / "net.toml").write_text(textwrap.dedent(TOML.replace(find, replace)))
    with pytest.raises(ModelError, match=message):
        load_any("net.pth", arch="net.toml")


def test_a_key_that_a_layer_does_not_have_is_refused_by_layer(here):
    torch.save(make_dense().state_dict() | {"fc1.other": torch.ones(8)}, "net.pth")
    with pytest.raises(ModelError, match=r"net\.pth: layer 'fc1': the checkpoint does not fit \(.*\"other\""):
        load_any("net.pth", time_steps=T)


def test_a_checkpoint_that_is_no_chain_is_not_guessed(here):
    net = nn.Sequential(nn.Linear(6, 8), leaky(), nn.Linear(8, 3))
    torch.save(net.state_dict(), "net.pth")
    with pytest.raises(
        ModelError, match="only a chain of Linear layers, each with a neuron, is inferred; found 2 weights, 1"
    ):
        load_any("net.pth", time_steps=3)


def test_a_recurrent_layer_without_bias_is_read_from_its_checkpoint(here):
    torch.manual_seed(6)
    recurrent = snntorch.RLeaky(0.7, linear_features=5, threshold=0.4, init_hidden=True, spike_grad=heaviside)
    recurrent.recurrent.register_parameter("bias", None)
    net = nn.Sequential(nn.Linear(6, 5), recurrent)
    torch.save(net.state_dict(), "net.pth")
    model = load_any("net.pth", time_steps=6)
    x = 3 * torch.rand(6, 10, 6, dtype=torch.float64)
    expected = run_by_snntorch(net, x)
    assert 0 < expected.mean() < 1
    assert torch.equal(Simulation(model.graph, torch.float64)(x).output, expected)


@pytest.mark.parametrize("key", ["model_state_dict", "model", "net", "state_dict", "ema_weights"])
def test_weights_are_found_where_training_scripts_keep_them(key, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    net = nn.Sequential(nn.Linear(6, 3), leaky())
    optimizer = torch.optim.Adam(net.parameters())
    torch.save({"epoch": 3, key: net.state_dict(), "optimizer": optimizer.state_dict(), "loss": 0.1}, "net.pth")
    model = load_any("net.pth", time_steps=T)
    x = (torch.rand(T, 20, 6) * 3).double()
    assert torch.equal(Simulation(model.graph, torch.float64)(x).output, run_by_snntorch(net, x))


def test_of_several_sets_of_weights_the_usual_one_is_taken_and_said(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    net, average = (nn.Sequential(nn.Linear(6, 3), leaky()) for _ in range(2))
    torch.save({"averaged": average.state_dict(), "model": net.state_dict()}, "net.pth")
    model = load_any("net.pth", time_steps=T)
    assert model.notices[0] == "of the weights under model, averaged those under 'model' are taken"
    assert torch.equal(torch.from_numpy(model.graph.nodes["0_linear"].weight), net[0].weight)


def test_a_parameter_of_the_network_itself_is_named_where_nothing_is_inferred(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({**make_dense().state_dict(), "temperature": torch.ones(1)}, "net.pth")
    torch.save({"a": torch.ones(1), "b.c": torch.ones(2)}, "odd.pth")
    with pytest.raises(ModelError, match="found 0 weights, 0 neurons, and a, b: give `arch`"):
        load_any("odd.pth", time_steps=T)
    with pytest.raises(ModelError, match="found 2 weights, 2 neurons, and temperature: give `arch`"):
        load_any("net.pth", time_steps=T)
