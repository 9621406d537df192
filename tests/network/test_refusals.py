"""What is not converted is refused, with its name, the rule and the way out."""

import numpy as np
import pytest
import snntorch
import torch
from network_builders import leaky
from refused_modules import (
    AddsAnAxis,
    CarriesState,
    EncodesInside,
    Ends,
    ForeignState,
    ForgetsState,
    Function,
    MapsOfItsInput,
    NeedsMore,
    NormOfEachStep,
    Own,
    ResetsFromAbove,
    SharedNeuron,
    StartsHigh,
    Turned,
    plain,
    reset_changed_later,
)
from snntorch import utils
from torch import nn
from torch.nn import functional

from spear_deploy.errors import ModelError
from spear_deploy.network import from_snntorch


def convert(net, shape=(6,), time_steps=5, **options):
    return from_snntorch(net, input_shape=shape, time_steps=time_steps, **options)


class OwnStep(torch.autograd.Function):
    """A spike with a gradient of one's own, as many loops have it."""

    @staticmethod
    def forward(ctx, x):
        return (x > 0).to(x.dtype)


REFUSED = {
    "a neuron in two places": (
        SharedNeuron,
        r"SharedNeuron\.forward cannot be followed: lif1 is called 2 times in 5 time steps; give time_steps=2 where"
        r" forward loops so often, and a copy for each place to a neuron that keeps its state and stands in several$",
    ),
    "a state that is not kept": (ForgetsState, r"^lif starts from a state of zero in every time step; keep what it"),
    "an axis that forward adds": (
        AddsAnAxis,
        r"lif receives conv on an axis that forward adds to its input; give input_shape=\(1, 6\), and leave unsqueeze",
    ),
    "maps without an axis of channels": (
        lambda: nn.Sequential(nn.Linear(6, 6), leaky(), nn.MaxPool1d(2), nn.Linear(3, 3), leaky()),
        r"2_maxpool1d: MaxPool1d takes \[C, L\] of each sample, found 6; give `input_shape` its channels",
    ),
    "a norm for each step": (NormOfEachStep, r"^lif: what leads into it in step 0 differs .* \(a norm for each has no"),
    "maps of the input": (
        lambda: MapsOfItsInput(lambda x: x.view(-1, 1, 2, 3)),
        r"lif receives a change of shape from \(4, 6\) to \(4, 1, 2, 3\); give input_shape=\(1, 2, 3\) and samples",
    ),
    "maps of the input by a module": (
        lambda: MapsOfItsInput(nn.Unflatten(1, (1, 2, 3))),
        r"maps \(Unflatten\) on the network's input; give input_shape=\(1, 2, 3\) and samples of .*, and leave it out$",
    ),
    "a reset that finds no neuron": (ResetsFromAbove, r"utils\.reset\(self\.part\), which looks no level deeper"),
    "state from sample to sample": (CarriesState, r"lif: state is carried over from one sample to the next; reset it"),
    "state of another neuron": (ForeignState, r"receives a mem that is not its own of the step before"),
    "an initial state": (StartsHigh, r"lif1 receives an initial mem that is not zero"),
    "relu": (lambda: Function(torch.relu), r"lif receives the function relu, which NIR has no node for; leave it out"),
    "weights made of the input": (
        lambda: Function(lambda x: functional.linear(x, 2 * x)),
        r"lif receives weights that depend on the input, which no synapse has; use weights that are learned",
    ),
    "an attribute that turns it": (
        lambda: Function(lambda x: x.T),
        r"lif receives an attribute that changes it, such as \.T; leave it out, and order the weights behind",
    ),
    "a matrix before the samples": (
        lambda: Function(lambda x: torch.eye(len(x)).to(x) @ x),
        r"lif receives a product of matrices that no layer does; write x @ weight, or nn\.Linear",
    ),
    "einsum": (lambda: Function(lambda x: torch.einsum("bi,oi->bo", x, torch.eye(6).to(x))), r"einsum.*nn\.Linear"),
    "noise": (lambda: Function(lambda x: x + torch.randn_like(x)), r"leave noise out in eval mode"),
    "softmax at the end": (
        lambda: Ends(torch.softmax),
        r"softmax.*; return what is before it, and leave it to the loss",
    ),
    "concatenation": (
        lambda: Function(lambda x: torch.cat([x, x], 1)[:, :6]),
        r"lif receives a part of its channels or positions; let the layer see all of them",
    ),
    "an added constant": (
        lambda: Function(lambda x: x + 0.5),
        r"lif receives the constant 0\.5 that is added; put it into a bias",
    ),
    "a product": (lambda: Function(lambda x: x * x), r"a product of two values that depend on the input"),
    "functional dropout": (lambda: Function(functional.dropout), r"dropout that is not switched off in eval mode"),
    "an addition to itself": (lambda: Function(lambda x: x + x), r"lif: fc is added to itself"),
    "encoding inside": (EncodesInside, r"receives the function bernoulli"),
    "a state without default": (NeedsMore, r"forward needs mem beside its input; give them a default"),
    "an activation": (
        lambda: nn.Sequential(nn.Linear(6, 6), nn.ReLU(), leaky()),
        r"1_relu: ReLU is not supported: a chip has none beside its neurons; leave it out, or put a spiking neuron in",
    ),
    "a neuron of one's own": (
        lambda: nn.Sequential(nn.Linear(6, 6), Own(beta=0.9, init_hidden=True)),
        r"1_own: Own is not supported; supported: Lapicque, Leaky, RLeaky, RSynaptic, Synaptic$",
    ),
    "Alpha": (
        lambda: nn.Sequential(nn.Linear(6, 6), snntorch.Alpha(alpha=0.9, beta=0.8, init_hidden=True)),
        r"1_alpha: Alpha is not supported",
    ),
    "state_quant": (lambda: plain(state_quant=lambda x: x), r"1_leaky: state_quant is not supported"),
    "graded spikes of zero": (
        lambda: plain(graded_spikes_factor=0.0),
        r"graded_spikes_factor must be positive, found 0",
    ),
    "graded spikes of zero in one neuron": (
        lambda: plain(graded_spikes_factor=torch.tensor([0.5, 1.0, -0.25, 1.0])),
        r"graded_spikes_factor must be positive, found -0\.25",
    ),
    "a reset changed later": (reset_changed_later, r"1_leaky: it was built with reset subtract and later set to zero"),
    "no neuron": (
        lambda: nn.Sequential(nn.Linear(6, 6)),
        r"no neuron of snnTorch or SpikingJelly is called; put snntorch\.Leaky \(or another of them\) behind",
    ),
    "features that do not fit": (
        lambda: nn.Sequential(nn.Linear(7, 6), leaky()),
        r": 0_linear takes 7 features, and is given 6; make it in_features=6, or give another input_shape$",
    ),
    "states that go into a layer": (
        lambda: nn.Sequential(nn.Linear(6, 6), leaky(output=True), nn.Linear(6, 3), leaky()),
        r": 2_linear is called on a tuple, .*; give it the spikes alone \(in a Sequential leave out output=True before",
    ),
    "a threshold of one's own": (
        lambda: Function(lambda x: (x > 1).float()),
        r"lif receives the function gt, .*; a neuron of snnTorch compares: put one in its place",
    ),
    "a surrogate of one's own": (
        lambda: Function(OwnStep.apply),
        r"lif receives the function gt, .*; a neuron of snnTorch compares: put one in its place",
    ),
    "numpy on the way": (
        lambda: Function(lambda x: torch.from_numpy(np.array(x.detach()) + 1)),
        r"lif receives a value that torch did not make of the input",
    ),
    "the largest's place": (lambda: Ends(lambda x, axis: x.argmax(axis)), r"argmax.*; return what is before it, and"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_shown_exact_is_refused(case):
    build, message = REFUSED[case]
    torch.manual_seed(0)
    with pytest.raises(ModelError, match=message):
        convert(build())


def test_another_order_of_axes_is_refused_with_what_to_do_instead():
    with pytest.raises(ModelError, match=r"lif receives a change of the order of axes; leave it out, and order the"):
        convert(Turned(), (2, 3))


def test_a_constant_may_be_cast_to_the_type_of_the_input():
    """It stayed in float32 while the network ran in float64."""
    model = convert(Function(lambda x: x * torch.full((6,), 0.3).to(x)))
    (scale,) = [node.scale for node in model.network.nodes.values() if hasattr(node, "scale")]
    assert (scale == np.float64(np.float32(0.3))).all()


def test_a_max_pool_of_analog_values_before_weights_is_refused_and_of_spikes_is_not():
    net = nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(1, 2, 3), leaky(threshold=0.2))
    with pytest.raises(ModelError, match=r"0_maxpool2d: the largest of values .* weights of 1_conv2d"):
        convert(net, (1, 8, 8))
    assert convert(net, (1, 8, 8), encoding="spikes").network.layers == ["0_maxpool2d_threshold", "2_leaky"]


def test_batch_normalisation_before_a_padded_convolution_is_refused():
    net = nn.Sequential(nn.BatchNorm2d(1), nn.Conv2d(1, 2, 3, padding=1), leaky())
    with pytest.raises(ModelError, match=r"0_batchnorm2d: BatchNorm is folded only into"):
        convert(net, (1, 8, 8))


def test_a_membrane_below_zero_decay_is_refused():
    net = nn.Sequential(nn.Linear(6, 6), snntorch.Lapicque(R=0.5, C=0.5, init_hidden=True))
    with pytest.raises(ModelError, match=r"1_lapicque"):
        convert(net)


def test_noisy_spikes_are_refused():
    with pytest.raises(ModelError, match=r"its spike_grad does not spike exactly where"):
        convert(nn.Sequential(nn.Linear(6, 6), snntorch.Leaky(0.9, init_hidden=True, spike_grad=torch.sigmoid)))


def test_a_neuron_threshold_below_zero_is_refused():
    with pytest.raises(ModelError, match=r"1_leaky: thresholds must be positive, found -1"):
        convert(nn.Sequential(nn.Linear(6, 6), leaky(threshold=-1.0)))


def test_linear_on_an_input_that_is_not_flat_is_refused():
    with pytest.raises(
        ModelError, match=r"0_linear: Linear takes a flat input, found 4 x 6; put nn\.Flatten\(\) before"
    ):
        convert(nn.Sequential(nn.Linear(6, 6), leaky()), (4, 6))


def test_a_sample_of_another_shape_is_refused():
    with pytest.raises(ModelError, match=r"sample: needed 5 x B x 6, found \(4, 2, 6\)"):
        convert(plain(), sample=torch.rand(4, 2, 6))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_sample_that_holds_no_number_is_refused(value):
    with pytest.raises(ModelError, match=r"^sample: its values must be finite$"):
        convert(plain(), sample=torch.full((5, 2, 6), value))


class Loop(nn.Module):
    """A forward that loops over time itself and keeps nothing from one sample to the next."""

    def __init__(self):
        super().__init__()
        self.fc1, self.norm, self.lif1 = nn.Linear(6, 6), nn.BatchNorm1d(6), leaky(threshold=0.1, output=True)
        self.fc2, self.lif2 = nn.Linear(6, 3), leaky(output=True)

    def forward(self, x):
        utils.reset(self)
        return torch.stack([self.lif2(self.fc2(self.lif1(self.norm(self.fc1(x)))[0]))[0] for _ in range(5)])


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("fc1.weight", "fc1: weight must be finite, found {}"),
        ("fc2.weight", "fc2: weight must be finite, found {}"),
        ("lif1.threshold", "lif1: v_threshold must be finite, found {}"),
        ("norm.bias", "norm: weights and running statistics of a BatchNorm must be finite"),
        ("norm.running_mean", "norm: weights and running statistics of a BatchNorm must be finite"),
    ],
)
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_network_that_holds_no_number_is_told_where_and_not_to_carry_state(where, told, value):
    net = Loop()
    net.state_dict(keep_vars=True)[where].data.flatten()[0] = value
    with pytest.raises(ModelError, match=f"^{told.format(value)}$"):
        convert(net)


class LearnsWhileItRuns(nn.Module):
    """Its weights change with every step: nothing that the trace of its layers shows."""

    def __init__(self):
        super().__init__()
        self.fc, self.lif = nn.Linear(6, 6), leaky(threshold=0.3)

    def forward(self, x):
        spikes = self.lif(self.fc(x))
        self.fc.bias.add_(0.1)
        return spikes


def test_a_converted_network_that_differs_is_an_error_with_layer_step_and_count():
    with pytest.raises(
        ModelError, match=r"lif: the converted network differs from the original in time step \d: \d+ of"
    ):
        convert(LearnsWhileItRuns())


class Decides(nn.Module):
    """Another network where the input is strong."""

    def __init__(self):
        super().__init__()
        self.fc, self.lif = nn.Linear(6, 6), leaky()

    def forward(self, x):
        current = self.fc(x)
        if current.sum() > 1e9:
            current = current * 0
        return self.lif(current)


def test_a_decision_by_values_is_told_since_no_graph_holds_it():
    torch.manual_seed(0)
    assert any("decides by values (if, while, assert)" in each for each in convert(Decides()).notices)
    assert not any("decides" in each for each in convert(plain()).notices)


def test_channels_that_do_not_fit_are_told_by_layer():
    net = nn.Sequential(nn.Conv2d(2, 4, 3), leaky(), nn.Conv2d(3, 4, 3), leaky())
    with pytest.raises(ModelError, match=r"2_conv2d takes 3 channels, and is given 4; make it in_channels=4, or give"):
        convert(net, (2, 8, 8))


def test_a_layer_that_fails_for_another_reason_is_named():
    net = nn.Sequential(nn.Conv2d(2, 4, 3), leaky(), nn.MaxPool2d(9), nn.Conv2d(4, 4, 3), leaky())
    with pytest.raises(ModelError, match=r"2_maxpool2d fails with RuntimeError: "):
        convert(net, (2, 8, 8))


class MakesItsOwnFloats(nn.Module):
    """Its first feedback is of zeros in torch's default number format."""

    def __init__(self, by_layer):
        super().__init__()
        self.fc, self.back, self.lif, self.by_layer = nn.Linear(6, 4), nn.Linear(4, 4), leaky(), by_layer

    def forward(self, x):
        spikes = torch.zeros(x.shape[1], 4)
        for step in x:
            back = self.back(spikes) if self.by_layer else spikes @ self.back.weight
            spikes = self.lif(self.fc(step) + back)
        return spikes


@pytest.mark.parametrize(("by_layer", "who"), [(True, "back"), (False, "it")])
def test_a_forward_that_makes_float32_of_its_own_is_told_how_not_to(by_layer, who):
    said = rf"{who} fails with RuntimeError: .*; it is run in float64 here: make its own tensors by x\.new_zeros"
    with pytest.raises(ModelError, match=said):
        convert(MakesItsOwnFloats(by_layer))


class AddsSpikes(nn.Module):
    """What it returns is a difference of spikes."""

    def __init__(self):
        super().__init__()
        self.fc1, self.lif1, self.fc2, self.lif2 = nn.Linear(6, 3), leaky(), nn.Linear(6, 3), leaky()

    def forward(self, x):
        return self.lif1(self.fc1(x)) - self.lif2(self.fc2(x))


def test_a_sum_of_spikes_at_the_end_is_told_as_that():
    with pytest.raises(ModelError, match=r"found: a sum or a multiple of lif1, lif2, which a last layer of weights"):
        convert(AddsSpikes())
