"""Outputs as networks are written: a last layer without neurons, membranes, populations, two heads."""

from dataclasses import replace

import pytest
import torch
from network_builders import Population
from read_out_modules import (
    AddsLargest,
    AllAtOnce,
    AsAList,
    B,
    BehindLargest,
    Doubled,
    EndsInLinear,
    EveryStep,
    Gained,
    LargestCurrent,
    LargestMembrane,
    LargestSpike,
    LastMembrane,
    LastOfAStack,
    LastStep,
    OfTheMean,
    OfTheSum,
    ScaledLogits,
    Sums,
    SumsAndDivides,
    T,
    TwoHeads,
    lif,
)
from snntorch import utils
from torch import nn

from spear_deploy.backends.fixed_point import LoihiExecution, quantize
from spear_deploy.errors import ModelError
from spear_deploy.exporters.onnx import OnnxExporter
from spear_deploy.exporting import assert_faithful
from spear_deploy.measure import classify, measure
from spear_deploy.network import (
    Encoding,
    ReadOut,
    Simulation,
    from_snntorch,
    load_model_file,
    portable,
    read_nir,
    save_model_file,
    write_nir,
)
from spear_deploy.training import loss

CURRENTS = [EndsInLinear, Sums, SumsAndDivides, EveryStep, AsAList, ScaledLogits, AllAtOnce, OfTheMean]


def run(net, x):
    with torch.no_grad():
        return net.double().eval()(x)


def classes_of(model, x):
    with torch.no_grad():
        return classify(Simulation(model.graph, torch.float64)(x).output, model.read_out, model.population)


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(3)


def inputs():
    return 3 * torch.rand(T, B, 8, dtype=torch.float64)


@pytest.mark.parametrize("style", CURRENTS)
def test_a_network_that_ends_in_a_linear_layer_gives_its_own_classes(style):
    net, x = style(), inputs()
    model = from_snntorch(net, input_shape=(8,), time_steps=T)
    assert (model.read_out, model.network.layers) == (ReadOut.MEMBRANE, ["lif1", "fc2_out"])
    logits = run(net, x)
    logits = torch.stack(logits) if isinstance(logits, list) else logits
    logits = {2: logits, 3: logits.sum(1 if style is EveryStep else 0) if logits.ndim == 3 else logits}[logits.ndim]
    assert len(set(logits.argmax(1).tolist())) > 1
    assert torch.equal(classes_of(model, x), logits.argmax(1))


@pytest.mark.parametrize("style", [LastStep, LastOfAStack, LastMembrane])
def test_an_output_of_the_last_step_alone_is_read_as_that(style):
    net, x = style(), inputs()
    model = from_snntorch(net, input_shape=(8,), time_steps=T)
    assert model.read_out is ReadOut.LAST
    expected = run(net, x).argmax(1)
    summed = Simulation(model.graph, torch.float64)(x).output.sum(0).argmax(1)
    assert not torch.equal(summed, expected)
    assert torch.equal(classes_of(model, x), expected)


@pytest.mark.parametrize("style", [LargestCurrent, Doubled, LargestMembrane])
def test_the_largest_of_all_steps_is_read_as_that(style):
    net, x = style(), inputs()
    model = from_snntorch(net, input_shape=(8,), time_steps=T)
    assert model.read_out is ReadOut.LARGEST
    expected = run(net, x).argmax(1)
    assert not torch.equal(Simulation(model.graph, torch.float64)(x).output.sum(0).argmax(1), expected)
    assert torch.equal(classes_of(model, x), expected)


@pytest.mark.parametrize(
    ("style", "reason"),
    [
        (AddsLargest, "a largest over time, which is read of membranes and of currents alone"),
        (LargestSpike, "a largest over time, which is read of membranes and of currents alone"),
        (BehindLargest, "fc3 behind a largest over time, which no neuron holds; return that"),
    ],
)
def test_a_largest_over_time_of_anything_else_is_refused(style, reason):
    with pytest.raises(ModelError, match=f"found: {reason}"):
        from_snntorch(style(), input_shape=(8,), time_steps=T)


def test_a_layer_behind_a_sum_over_time_adds_its_bias_once_and_is_refused():
    with pytest.raises(ModelError, match="fc2 behind a sum over time, in which its bias counts once; take the mean"):
        from_snntorch(OfTheSum(), input_shape=(8,), time_steps=T)


def test_read_outs_go_through_every_file_and_into_integers(tmp_path):
    x = inputs()
    for style in (EndsInLinear, LastStep, LargestMembrane):
        model = from_snntorch(style(), input_shape=(8,), time_steps=T)
        save_model_file(model, tmp_path / "net.pt")
        write_nir(model, tmp_path / "net.nir")
        for read in (load_model_file(tmp_path / "net.pt"), read_nir(tmp_path / "net.nir")):
            assert read.read_out is model.read_out
            assert torch.equal(classes_of(read, x), classes_of(model, x))
        assert_faithful(OnnxExporter(), model)
        found = LoihiExecution(quantize(model, calibration=x)).run(x).outputs[model.network.read_out]
        agree = classify(found, model.read_out) == classes_of(model, x)
        assert float(agree.double().mean()) > 0.8


def test_a_last_layer_without_neurons_is_counted_like_any_other():
    net, x = EndsInLinear(), inputs()
    model = from_snntorch(net, input_shape=(8,), time_steps=T)
    with torch.no_grad():
        spikes = float(Simulation(model.graph, torch.float64)(x).outputs["lif1"].sum()) / B
    found = measure(model, x, torch.zeros(B), analog_input=True, dtype=torch.float64)
    assert found.layers["fc2_out"].synops == pytest.approx(5 * spikes)
    assert found.layers["fc2_out"].spikes == 0


def test_a_last_layer_without_neurons_is_portable():
    """Membranes that forget at once are NIR's own LI with tau = dt."""
    net = EndsInLinear()
    net.lif1 = lif(reset_mechanism="zero")
    model = from_snntorch(net, input_shape=(8,), time_steps=T)
    x = inputs()
    assert torch.equal(classes_of(portable(model), x), classes_of(model, x))


@pytest.mark.parametrize(
    ("output", "read_out", "layer"),
    [("fc2", ReadOut.MEMBRANE, "fc2_out"), ("lif2", ReadOut.COUNT, "lif2"), (0, ReadOut.MEMBRANE, "fc2_out")],
)
def test_one_of_two_heads_is_named(output, read_out, layer):
    net, x = TwoHeads(), inputs()
    model = from_snntorch(net, input_shape=(8,), time_steps=T, output=output)
    assert (model.read_out, model.network.read_out) == (read_out, layer)
    heads = run(net, x)
    assert torch.equal(classes_of(model, x), heads[int(output == "lif2")].sum(0).argmax(1))


def test_factors_within_what_is_returned_stay_and_only_those_of_all_of_it_are_left_out():
    torch.manual_seed(6)
    net, x = Gained(), inputs()
    model = from_snntorch(net, input_shape=(8,), time_steps=T)
    with torch.no_grad():
        currents = Simulation(model.graph, torch.float64)(x).outputs[model.network.read_out]
    torch.testing.assert_close(2 * currents.mean(0), run(net, x))


def test_two_heads_and_none_named_is_refused():
    wanted = r"which is its output\? return one, or name it: output='fc2' or output='lif2'$"
    with pytest.raises(ModelError, match=wanted):
        from_snntorch(TwoHeads(), input_shape=(8,), time_steps=T)
    with pytest.raises(ModelError, match="output='fc9': the network returns currents of fc2, spikes of lif2"):
        from_snntorch(TwoHeads(), input_shape=(8,), time_steps=T, output="fc9")


def test_the_loss_of_the_last_step_and_of_a_population_is_that_of_what_is_read():
    output, labels = torch.rand(T, B, 6), torch.randint(0, 6, (B,))
    assert loss(output, labels, ReadOut.LAST) == nn.functional.cross_entropy(output[-1], labels)
    assert loss(output, labels, ReadOut.LARGEST) == nn.functional.cross_entropy(output.amax(0), labels)
    pairs, few = output.mean(0).reshape(B, 3, 2).mean(2), labels % 3
    assert loss(output, few, ReadOut.MEMBRANE, 2) == nn.functional.cross_entropy(pairs, few)


def test_spikes_go_on_being_taken_where_they_are_returned_beside_membranes_and_currents():
    class Everything(Population):
        def forward(self, x):
            utils.reset(self)
            mem1, mem2, spikes, currents, membranes = self.lif1.init_leaky(), self.lif2.init_leaky(), [], [], []
            for step in x:
                spk, mem1 = self.lif1(self.fc1(step), mem1)
                currents.append(self.fc2(spk))
                spk, mem2 = self.lif2(currents[-1], mem2)
                spikes.append(spk)
                membranes.append(mem2)
            return torch.stack(currents), torch.stack(spikes), torch.stack(membranes)

    model = from_snntorch(Everything(), input_shape=(8,), time_steps=T, encoding=Encoding.RATE)
    assert (model.read_out, model.network.read_out) == (ReadOut.COUNT, "lif2")


def test_spikes_that_are_asked_for_and_not_returned_are_refused():
    with pytest.raises(ModelError, match=r"returns no spikes of a neuron layer \(found: currents of fc2\)"):
        from_snntorch(EndsInLinear(), input_shape=(8,), time_steps=T, read_out="count")


class YesOrNo(EndsInLinear):
    """One output, as binary detectors have it."""

    def __init__(self, spiking):
        super().__init__(classes=1)
        self.lif2 = lif() if spiking else None

    def forward(self, x):
        found = torch.stack(self.steps(x))
        if self.lif2 is None:
            return found.mean(0)
        mem, spikes = self.lif2.init_leaky(), []
        for step in found:
            spk, mem = self.lif2(step, mem)
            spikes.append(spk)
        return torch.stack(spikes)


@pytest.mark.parametrize("spiking", [True, False])
def test_a_single_output_is_no_or_yes(spiking):
    torch.manual_seed(5)
    net = YesOrNo(spiking)
    model = from_snntorch(net, input_shape=(8,), time_steps=T, encoding="sequence")
    x = torch.randn(T, 200, 8)
    with torch.no_grad():
        returned = net(x)
        output = Simulation(model.graph)(x).output
    yes = returned.sum(0) * 2 > T if spiking else returned > 0
    assert model.classes == 2
    assert torch.equal(classify(output, model.read_out), yes.flatten().long())
    assert 5 < int(yes.sum()) < 195


@pytest.mark.parametrize(
    ("spiking", "figure"), [(True, f"spikes more than {T / 2:g} times in {T};"), (False, "above 0,")]
)
def test_where_a_single_output_turns_to_yes_is_told(spiking, figure, tmp_path):
    model = from_snntorch(YesOrNo(spiking), input_shape=(8,), time_steps=T, encoding="sequence")
    told = [notice for notice in model.notices if notice.startswith("its single output says no or yes, yes where ")]
    assert [figure in notice for notice in told] == [True]
    save_model_file(model, tmp_path / "net.pt")
    write_nir(model, tmp_path / "net.nir")
    for read in (load_model_file(tmp_path / "net.pt"), read_nir(tmp_path / "net.nir"), model.with_graph(model.graph)):
        assert told[0] in read.notices
    longer = replace(model, time_steps=3 * T)
    assert len(longer.notices) == len(model.notices)
    assert any(f"{3 * T / 2:g} times in {3 * T};" in notice for notice in longer.notices) == spiking


def test_the_single_output_of_a_regression_says_neither_no_nor_yes():
    model = from_snntorch(
        YesOrNo(spiking=False), input_shape=(8,), time_steps=T, encoding="sequence", objective="regression"
    )
    assert not any("single output" in notice for notice in model.notices)


def test_a_population_of_a_single_class_counts_the_spikes_of_all_its_outputs():
    model = from_snntorch(Population(), input_shape=(8,), time_steps=T, classes=1)
    assert any(f"more than {10 * T} times in {20 * T};" in notice for notice in model.notices)


def test_the_loss_of_a_single_membrane_is_the_binary_cross_entropy_of_its_logit():
    output, labels = torch.randn(1, 50, 1), torch.arange(50) % 2
    wanted = nn.functional.binary_cross_entropy_with_logits(output[0, :, 0], labels.float())
    assert float(loss(output, labels, ReadOut.MEMBRANE)) == pytest.approx(float(wanted), rel=1e-5)


class SomeSteps(nn.Module):
    """A network that returns what `chosen` makes of the spikes and the membranes of all its steps."""

    def __init__(self, chosen, reset="subtract"):
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(8, 12), lif()
        self.fc2, self.lif2 = nn.Linear(12, 5), lif(reset_mechanism=reset)
        self.chosen = chosen

    def forward(self, x):
        hidden, mem, spikes, membranes = self.lif1.init_leaky(), self.lif2.init_leaky(), [], []
        for step in x:
            spk, hidden = self.lif1(self.fc1(step), hidden)
            spk, mem = self.lif2(self.fc2(spk), mem)
            spikes.append(spk)
            membranes.append(mem)
        return self.chosen(spikes, membranes)


@pytest.mark.parametrize(
    ("chosen", "told"),
    [
        (lambda spikes, _: spikes[-1], "spikes of lif2 of step 5, where steps are 0 to 5"),
        (lambda spikes, _: torch.stack(spikes[3:]), "spikes of lif2 of steps 3 to 5, "),
        (lambda spikes, _: sum(spikes[3:]), "spikes of lif2 of steps 3 to 5, "),
        (lambda spikes, _: torch.stack(spikes[::2]).sum(0), "spikes of lif2 of steps 0, 2, 4, "),
        (lambda spikes, _: torch.stack([*spikes, spikes[-1]]), "spikes of lif2 of steps 0, 1, 2, 3, 4, 5, ..., "),
    ],
)
def test_spikes_of_some_steps_alone_are_refused_instead_of_counted_in_all(chosen, told):
    with pytest.raises(ModelError, match="return those of every step") as refused:
        from_snntorch(SomeSteps(chosen), input_shape=(8,), time_steps=T, encoding=Encoding.DIRECT)
    assert told in str(refused.value)


@pytest.mark.parametrize("chosen", [lambda _, mem: torch.stack(mem[3:]).mean(0), lambda _, mem: mem[-2]])
def test_membranes_of_some_steps_are_refused_but_for_those_of_the_last_one(chosen):
    with pytest.raises(ModelError, match=", or of the last one alone"):
        from_snntorch(SomeSteps(chosen, reset="none"), input_shape=(8,), time_steps=T, encoding=Encoding.DIRECT)


def test_who_says_how_spikes_are_read_need_not_return_them_all():
    model = from_snntorch(
        SomeSteps(lambda spikes, _: spikes[-1]),
        input_shape=(8,),
        time_steps=T,
        encoding=Encoding.DIRECT,
        read_out=ReadOut.COUNT,
    )
    assert model.read_out is ReadOut.COUNT
